// CharacterSet: a set of characters as regular expressions write it, from ranges and general
// categories; and CharacterClasses, which numbers the characters so that those that no set tells
// apart share a number. Plain values, immutable once built.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace llm::tokenizer {

struct CharacterSet {
  struct Range {
    char32_t first, last;
    bool operator==(const Range&) const = default;
  };
  std::vector<Range> ranges;
  std::uint32_t categories = 0;  ///< one bit for each of utf8proc's categories
  bool negated = false;

  bool contains(char32_t c) const;
  bool operator==(const CharacterSet&) const = default;
};

/// Bits of a general category: "Lu", or all of a letter's as in "L"; "Any" is all of them. Nothing
/// for an unknown name.
std::optional<std::uint32_t> category_bits(std::string_view name);

/// The characters with the property White_Space.
const std::vector<CharacterSet::Range>& white_space_ranges();

/// The complement of sorted, disjoint ranges.
std::vector<CharacterSet::Range> complement(const std::vector<CharacterSet::Range>& ranges);

class CharacterClasses {
 public:
  /// At most 64 sets; nothing when more than 250 classes would be needed.
  static std::optional<CharacterClasses> build(const std::vector<CharacterSet>& sets);

  std::size_t size() const { return members_.size(); }
  std::uint8_t of(char32_t c) const {
    return pages_[std::size_t{index_[c / kPage]} * kPage + c % kPage];
  }
  /// Whether the characters of a class belong to sets[set].
  bool in_set(std::size_t character_class, std::size_t set) const {
    return (members_[character_class] >> set & 1) != 0;
  }

 private:
  static constexpr std::size_t kPage = 128;
  static constexpr std::size_t kCharacters = 0x110000;

  std::vector<std::uint64_t> members_;  // by class: one bit for each set
  std::array<std::uint16_t, kCharacters / kPage> index_;
  std::vector<std::uint8_t> pages_;  // distinct pages of class numbers
};

}  // namespace llm::tokenizer
