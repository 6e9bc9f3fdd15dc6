// RegexProgram: a regular expression as a list of instructions of a nondeterministic automaton,
// after Thompson (https://swtch.com/~rsc/regexp/regexp2.html). Plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/character_set.h"

namespace llm::tokenizer {

struct RegexInstruction {
  enum class Kind : std::uint8_t {
    character,  ///< one character of sets[set], then on
    split,      ///< on to `next`, or, with less priority, to `other`
    jump,       ///< on to `next`
    look,       ///< on if the character before or behind is (or is not) in sets[set]
    match,
  };
  Kind kind;
  bool ahead = false;    ///< look: at the next character, else at the one before
  bool wanted = true;    ///< look: whether it must be in the set
  bool at_edge = false;  ///< look: the answer where the text begins or ends
  std::uint16_t set = 0;
  std::uint16_t next = 0, other = 0;
};

struct RegexProgram {
  std::vector<RegexInstruction> instructions;  ///< begins with the first
  std::vector<CharacterSet> sets;

  /// Nothing for an expression that RegexSyntax cannot say, or that becomes too long.
  static std::optional<RegexProgram> compile(std::string_view pattern);
};

}  // namespace llm::tokenizer
