// NoTokenizer: stands in for the tokenizer of a model directory that has none. Such a model still
// computes: prompts can be given as token ids, and logits asked for. Text is refused with the error
// that tells what is missing; generated tokens have no text.
#pragma once

#include "tokenizer/tokenizer.h"

namespace llm::engine {

class NoTokenizer final : public tokenizer::Tokenizer {
 public:
  explicit NoTokenizer(Status missing) : missing_(std::move(missing)) {}

  Result<std::vector<std::int32_t>> encode(std::string_view,
                                           tokenizer::EncodeOptions) const override {
    return missing_;
  }
  Result<std::string> decode(std::span<const std::int32_t>, bool) const override {
    return missing_;
  }
  std::string token_bytes(std::int32_t) const override { return {}; }
  std::string_view token_text(std::int32_t) const override { return {}; }
  std::optional<std::int32_t> token_id(std::string_view) const override { return std::nullopt; }
  bool is_special(std::int32_t) const override { return false; }
  std::int32_t vocab_size() const override { return 0; }
  bool strips_leading_space() const override { return false; }

 private:
  Status missing_;
};

}  // namespace llm::engine
