// The syntax tree of a regular expression in PCRE2's syntax, as regex_dialect.h writes it; only of
// expressions that need no more than one character of look-around and no memory. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/character_set.h"

namespace llm::tokenizer {

struct RegexNode {
  static constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();

  enum class Kind : std::uint8_t {
    set,       ///< one character of sets[set]
    look,      ///< the character before or behind is (or is not) in sets[set]
    sequence,  ///< all parts
    choice,    ///< one of the parts, the first that leads to a match
    repeat,    ///< the one part, `least` to `most` times
  };
  Kind kind;
  std::size_t set = 0;
  bool ahead = false;    ///< look: at the next character, else at the one before
  bool wanted = true;    ///< look: whether it must be in the set
  bool at_edge = false;  ///< look: the answer where the text begins or ends
  std::uint32_t least = 0, most = 0;
  bool greedy = true;
  std::vector<RegexNode> parts;

  bool can_be_empty() const;
};

struct RegexSyntax {
  RegexNode root;
  std::vector<CharacterSet> sets;

  /// Nothing for an expression that this form cannot say.
  static std::optional<RegexSyntax> parse(std::string_view pattern);
};

}  // namespace llm::tokenizer
