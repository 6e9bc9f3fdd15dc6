#include "engine/text_windows.h"

#include <algorithm>
#include <optional>

#include "core/error.h"

namespace llm::engine {
namespace {

// The token that the tokenizer puts before every text, if it does.
Result<std::optional<std::int32_t>> begin_token(const tokenizer::Tokenizer& tokenizer) {
  LLM_ASSIGN_OR_RETURN(const auto plain, tokenizer.encode("a", {.add_special = false}));
  LLM_ASSIGN_OR_RETURN(const auto special, tokenizer.encode("a"));
  if (special.size() <= plain.size() || plain.empty() || special.front() == plain.front()) {
    return std::optional<std::int32_t>();
  }
  return std::optional(special.front());
}

}  // namespace

Result<TextWindows> TextWindows::create(const tokenizer::Tokenizer& tokenizer,
                                        std::string_view text, std::int64_t length) {
  if (text.empty()) return core::invalid_argument("the text is empty");
  LLM_ASSIGN_OR_RETURN(const std::optional<std::int32_t> begin, begin_token(tokenizer));
  LLM_ASSIGN_OR_RETURN(std::vector<std::int32_t> tokens,
                       tokenizer.encode(text, {.add_special = false, .parse_special = false}));
  if (begin) tokens.insert(tokens.begin(), *begin);
  if (static_cast<std::int64_t>(tokens.size()) < length) {
    return core::invalid_argument("the text has {} tokens, one window needs {}", tokens.size(),
                                  length);
  }
  TextWindows windows(std::move(tokens), length);
  for (std::int64_t i = 0; begin && i < windows.count(); ++i) {
    windows.tokens_[static_cast<std::size_t>(i * length)] = *begin;
  }
  return windows;
}

std::span<const std::int32_t> TextWindows::window(std::int64_t index) const {
  return std::span(tokens_).subspan(static_cast<std::size_t>(index * length_),
                                    static_cast<std::size_t>(length_));
}

Result<std::int64_t> window_length(std::int64_t asked, std::int64_t max_positions) {
  const std::int64_t length = asked > 0 ? asked : std::min(kDefaultWindow, max_positions);
  if (length < kMinWindow || length > max_positions) {
    return core::invalid_argument("context {}: expected {}..={}, what the model is made for",
                                  length, kMinWindow, max_positions);
  }
  return length;
}

}  // namespace llm::engine
