// WordBreaks: places inside a word where no merge can reach across, so that the parts on both sides
// can be encoded by themselves with the same result. Found from the two characters at the place. It
// may miss such a place, but never finds a wrong one. Immutable after finish().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/char_table.h"
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
  void finish() { finish(nullptr, "", false); }
  /// Only the characters in `symbols` are, which must outlive this; all others may become
  /// `unknown`, or tokens like "<0x0A>", or nothing at all where they `vanish`. A row of unknown
  /// characters stays together.
  void finish(const CharTable* symbols, std::string_view unknown, bool vanish);

  /// End of the part that begins at `begin`, which is less than the word's size.
  std::size_t part_end(std::string_view word, std::size_t begin) const {
    std::size_t length = utf8_length(word[begin]);
    char32_t left = decode_valid_utf8(word.data() + begin, length);
    for (std::size_t at = begin + length; at < word.size(); at += length) {
      length = utf8_length(word[at]);
      const char32_t right = decode_valid_utf8(word.data() + at, length);
      if (left < kAscii && right < kAscii ? ascii_[left][right] : is_break(left, right)) return at;
      left = right;
    }
    return word.size();
  }

 private:
  static constexpr std::size_t kAscii = 128;

  // Whether a merge may join a symbol that ends with one character to one that begins with the
  // other.
  bool joins(char32_t left, char32_t right) const;
  bool is_break(char32_t left, char32_t right) const;

  std::vector<std::uint64_t> pairs_;  // until finish(): the characters that merges join
  std::vector<std::uint64_t> bits_;   // a bit for each hash of such a pair
  std::array<std::array<bool, kAscii>, kAscii> ascii_{};  // is_break()
  const CharTable* symbols_ = nullptr;
  // What symbols of unknown characters begin and end with.
  std::vector<char32_t> unknown_begins_, unknown_ends_;
  bool vanish_ = false;
};

}  // namespace llm::tokenizer
