// GgufSpecialTokens: the tokens of a GGUF vocabulary that are cut out of the text before the model
// sees it: control, unknown and user-defined ones. Immutable; any thread may use one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/token_finder.h"
#include "tokenizer/tokenizer.h"

namespace llm::tokenizer {

class GgufSpecialTokens {
 public:
  /// A part of a text: a token, or text (id < 0).
  struct Part {
    std::int32_t id;
    std::size_t begin, end;
  };

  GgufSpecialTokens() = default;
  /// `strip_after`: tokens swallow the white space behind them, as Phi-3's do.
  GgufSpecialTokens(const std::vector<std::string>& tokens, const std::vector<TokenType>& types,
                    bool strip_after);

  /// Without `parse_special`, only user-defined tokens are cut out. `text` must be valid UTF-8.
  std::vector<Part> cut(std::string_view text, bool parse_special) const;

 private:
  TokenFinder all_, user_defined_;
  bool strip_after_ = false;
  std::vector<std::int32_t> keep_space_;  // exempt from strip_after_
};

}  // namespace llm::tokenizer
