// WordBreaks: places inside a word where no merge can reach across, so that the parts on both sides
// can be encoded by themselves with the same result. Found from the two characters at the place:
// each ASCII character, U+2581 (the space of SentencePiece vocabularies), or any other. Immutable
// after finish().
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "tokenizer/utf8.h"

namespace llm::tokenizer {

/// U+2581, which stands for a space in SentencePiece vocabularies.
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

class WordBreaks {
 public:
  /// A merge joins the end of one text to the begin of another.
  void add_merge(std::string_view left, std::string_view right);
  /// Merges may join any two neighbours inside of a token.
  void add_token(std::string_view text);

  /// Every character is a symbol under its own text.
  void finish();
  /// Only these ASCII characters are (and U+2581, if `mark_known`); all other characters may become
  /// `unknown`, or tokens like "<0x0A>". A row of unknown characters stays together.
  void finish(const std::array<bool, 128>& ascii_known, bool mark_known, std::string_view unknown);

  /// End of the part that begins at `begin`, which is less than the word's size.
  std::size_t part_end(std::string_view word, std::size_t begin) const {
    Class left = class_at(word, begin);
    for (std::size_t at = begin + utf8_length(word[begin]); at < word.size();) {
      const Class right = class_at(word, at);
      if (breaks_[left][right]) return at;
      left = right;
      at += utf8_length(word[at]);
    }
    return word.size();
  }

 private:
  using Class = std::size_t;
  static constexpr Class kMark = 128, kOther = 129, kClasses = 130;

  static Class class_at(std::string_view text, std::size_t at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) return byte;
    return text.compare(at, kSpaceMark.size(), kSpaceMark) == 0 ? kMark : kOther;
  }
  static Class class_at_end(std::string_view text);

  std::array<std::array<bool, kClasses>, kClasses> joins_{};
  std::array<std::array<bool, kClasses>, kClasses> breaks_{};
};

}  // namespace llm::tokenizer
