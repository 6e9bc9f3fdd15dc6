// RegexDfa: a regular expression compiled to a table of states, so that a search reads every
// character once and does nothing but look up two numbers. It finds what a backtracking engine
// finds, the first alternative that leads to a match: a state is a list of places in the
// expression in the order of their priority (https://swtch.com/~rsc/regexp/regexp3.html). A step
// sees one character beyond, which decides look-ahead. Immutable; any thread may search.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/character_set.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {

class RegexDfa {
 public:
  /// `pattern`: in PCRE2's syntax. Nothing when it needs a stronger engine, or too many states.
  static std::optional<RegexDfa> compile(std::string_view pattern);

  struct Match {
    std::size_t begin, end;
  };
  /// A pre-split reads a few characters in vain here and there; an expression that reads far ahead
  /// again and again takes quadratic time.
  static std::size_t waste_limit(std::string_view text) { return 50'000'000 + 4 * text.size(); }

  /// The first match at or after `from`; false when there is none. `wasted` grows by the number of
  /// characters that were read where no match began; when it gets beyond waste_limit(), the search
  /// is given up, as if there were no match. `text` must be valid UTF-8.
  bool find(std::string_view text, std::size_t from, Match& match, std::size_t& wasted) const;

 private:
  // Of a state and a class of characters: where to go on, as an index into table_, doubled; and
  // in the lowest bit whether a match ends before this character. State 0 goes nowhere.
  using Entry = std::uint32_t;

  struct Builder;
  explicit RegexDfa(CharacterClasses classes) : classes_(std::move(classes)) {}

  // Reads from `begin` on; the end of the match that begins there, or kNone.
  static constexpr std::size_t kNone = ~std::size_t{0};
  std::size_t match_at(std::string_view text, std::size_t begin, std::size_t& read) const;

  std::size_t class_at(std::string_view text, std::size_t at, std::size_t& length) const {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) {
      length = 1;
      return ascii_[byte];
    }
    length = utf8_length(text[at]);
    return classes_.of(decode_valid_utf8(text.data() + at, length));
  }

  CharacterClasses classes_;
  std::array<std::uint8_t, 128> ascii_;  // the classes of ASCII
  std::vector<Entry> table_;
  std::size_t end_class_ = 0;  // stands for the end of the text
  bool looks_behind_ = false;
  std::vector<std::uint32_t> starts_;  // by class of the character before; else just one
  std::array<bool, 256> begins_{};     // by class, and for the end: whether a match may begin here
};

}  // namespace llm::tokenizer
