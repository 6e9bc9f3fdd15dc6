#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "tokenizer/gguf_export.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/tokenizer.h"

namespace {

// Words, digits, spaces, several scripts, a combining mark, something like a special token, and
// bytes that are no UTF-8.
constexpr std::string_view kText =
    "Hello  world, it's 12345!\r\n\n\t<s>caf\xC3\xA9 e\xCC\x81 \xE4\xBD\xA0\xE5\xA5\xBD "
    "\xF0\x9F\x98\x80</s><|eot_id|> a_b\xFF\xE4\xBD aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ";

void check_tokenizer(const llm::tokenizer::Tokenizer& tokenizer) {
  for (const bool parse_special : {false, true}) {
    const auto ids = tokenizer.encode(kText, {.add_special = true, .parse_special = parse_special});
    if (!ids) continue;  // an expression may take too many steps
    for (const std::int32_t id : *ids) LLM_CHECK(id >= 0 && id < tokenizer.vocab_size());
    const auto text = tokenizer.decode(*ids, /*skip_special=*/true);
    LLM_CHECK(text.has_value());
    llm::tokenizer::StreamDecoder stream(tokenizer, /*continues_text=*/false);
    std::string streamed;
    for (const std::int32_t id : *ids) streamed += stream.push(id);
    streamed += stream.finish();
    LLM_CHECK(streamed == *text);
  }
  for (std::int32_t id = 0; id < tokenizer.vocab_size() && id < 1000; ++id) {
    (void)tokenizer.token_bytes(id);
    const std::string text(tokenizer.token_text(id));
    if (!text.empty()) LLM_CHECK(tokenizer.token_id(text).has_value());
  }
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// What was read may be written as GGUF's vocabulary, which then reads back, or be refused.
void check_export(std::string_view json, std::string_view config) {
  const auto exported = llm::tokenizer::export_gguf_vocabulary(
      json, config, {.vocab_size = 3000, .sentencepiece = true});
  if (exported) {
    const auto tokenizer = llm::tokenizer::tokenizer_from_gguf(exported->vocabulary);
    LLM_CHECK(tokenizer.has_value());
    LLM_CHECK((*tokenizer)->vocab_size() == 3000);
    check_tokenizer(**tokenizer);
    return;
  }
  LLM_CHECK(exported.error().code() != llm::StatusCode::internal);
  LLM_CHECK(is_printable(exported.error().message()));
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
    check_tokenizer(**tokenizer);
    check_export(json, config);
    return 0;
  }
  const llm::Status& error = tokenizer.error();
  LLM_CHECK(error.code() != llm::StatusCode::internal);
  LLM_CHECK(error.message().starts_with("tokenizer"));  // .json or _config.json
  LLM_CHECK(error.message().size() < 3000);
  LLM_CHECK(is_printable(error.message()));
  return 0;
}
