// ListedTokens: a vocabulary whose tokens are whatever byte strings a test lists; ids count from 0.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

class ListedTokens final : public tokenizer::Tokenizer {
 public:
  explicit ListedTokens(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}

  Result<std::vector<std::int32_t>> encode(std::string_view,
                                           tokenizer::EncodeOptions) const override {
    return core::unsupported("not needed");
  }
  Result<std::string> decode(std::span<const std::int32_t> ids, bool) const override {
    std::string text;
    for (const std::int32_t id : ids) text += tokens_[static_cast<std::size_t>(id)];
    return text;
  }
  std::string token_bytes(std::int32_t id) const override {
    return tokens_[static_cast<std::size_t>(id)];
  }
  std::string_view token_text(std::int32_t id) const override {
    return tokens_[static_cast<std::size_t>(id)];
  }
  std::optional<std::int32_t> token_id(std::string_view) const override { return std::nullopt; }
  bool is_special(std::int32_t) const override { return false; }
  std::int32_t vocab_size() const override { return static_cast<std::int32_t>(tokens_.size()); }
  bool strips_leading_space() const override { return false; }

 private:
  std::vector<std::string> tokens_;
};

}  // namespace llm::engine
