#include "engine/no_tokenizer.h"

#include "core/log.h"
#include "engine/load_tokenizer.h"

namespace llm::engine {
namespace {

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

}  // namespace

Result<std::unique_ptr<tokenizer::Tokenizer>> tokenizer_or_none(const formats::ModelFile& file) {
  auto tokenizer = load_tokenizer(file);
  if (tokenizer || tokenizer.error().code() != StatusCode::not_found) return tokenizer;
  core::log(core::LogLevel::warning, "{}: prompts can only be given as token ids",
            tokenizer.error().message());
  return std::unique_ptr<tokenizer::Tokenizer>(std::make_unique<NoTokenizer>(tokenizer.error()));
}

}  // namespace llm::engine
