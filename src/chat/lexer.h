// The source of a template as tokens, with Jinja's whitespace control applied as Hugging Face sets
// it: trim_blocks (the line end after a block tag goes), lstrip_blocks (white space before a block
// tag that begins a line goes), `-` and `+` in tags, one line end at the end of the source goes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "llm/status.h"

namespace llm::chat {

struct Token {
  enum class Kind : std::uint8_t {
    data,            ///< text outside of tags
    variable_begin,  ///< {{
    variable_end,
    block_begin,  ///< {%
    block_end,
    name,
    string,  ///< `text` is the value
    integer,
    real,
    symbol,  ///< an operator or bracket
    end,     ///< of the source
  };

  Kind kind = Kind::end;
  int line = 1;
  std::string text;  ///< of the token, without quotes and with escapes resolved

  bool is_symbol(std::string_view spelling) const {
    return kind == Kind::symbol && text == spelling;
  }
  bool is_name(std::string_view spelling) const { return kind == Kind::name && text == spelling; }
};

/// An error at a place of a template: "line 5: ...".
Status error_at(int line, std::string_view message);

/// Ends with a Kind::end token.
Result<std::vector<Token>> tokenize(std::string_view source);

}  // namespace llm::chat
