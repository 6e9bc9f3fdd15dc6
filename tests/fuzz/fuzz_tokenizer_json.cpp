#include <algorithm>

#include "fuzz/check_tokenizer.h"
#include "tokenizer/gguf_export.h"

namespace {

// What was read may be written as GGUF's vocabulary, which then reads back, or be refused.
void check_export(std::string_view json, std::string_view config) {
  const auto exported = llm::tokenizer::export_gguf_vocabulary(
      json, config, {.vocab_size = 3000, .sentencepiece = true});
  if (!exported) {
    llm::fuzz::check_tokenizer_error(exported.error(), "");
    return;
  }
  const auto tokenizer = llm::tokenizer::tokenizer_from_gguf(exported->vocabulary);
  LLM_CHECK(tokenizer.has_value());
  LLM_CHECK((*tokenizer)->vocab_size() == 3000);
  llm::fuzz::check_tokenizer(**tokenizer);
}

}  // namespace

// tokenizer.json, and behind a NUL byte, if there is one, tokenizer_config.json.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = std::min(input.find('\0'), input.size());
  const std::string_view json = input.substr(0, cut);
  const std::string_view config = input.substr(std::min(cut + 1, input.size()));
  const auto tokenizer = llm::tokenizer::tokenizer_from_json(json, config);
  if (tokenizer) {
    llm::fuzz::check_tokenizer(**tokenizer);
    check_export(json, config);
  } else {
    llm::fuzz::check_tokenizer_error(tokenizer.error(), "tokenizer");  // .json or _config.json
  }
  return 0;
}
