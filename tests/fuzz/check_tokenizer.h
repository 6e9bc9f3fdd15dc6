// What every tokenizer must do, whatever vocabulary it was made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/tokenizer.h"

namespace llm::fuzz {

// Words, digits, spaces, several scripts, a combining mark, something like a special token, and
// bytes that are no UTF-8.
constexpr std::string_view kText =
    "Hello  world, it's 12345!\r\n\n\t<s>caf\xC3\xA9 e\xCC\x81 \xE4\xBD\xA0\xE5\xA5\xBD "
    "\xF0\x9F\x98\x80</s><|eot_id|> a_b\xFF\xE4\xBD aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ";

inline void check_tokenizer(const tokenizer::Tokenizer& tokenizer) {
  for (const bool parse_special : {false, true}) {
    const auto ids = tokenizer.encode(kText, {.add_special = true, .parse_special = parse_special});
    if (!ids) continue;  // an expression may take too many steps
    for (const std::int32_t id : *ids) LLM_CHECK(id >= 0 && id < tokenizer.vocab_size());
    const auto text = tokenizer.decode(*ids, /*skip_special=*/true);
    LLM_CHECK(text.has_value());
    tokenizer::StreamDecoder stream(tokenizer, /*continues_text=*/false);
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

/// An error of one line that says where it is.
inline void check_tokenizer_error(const Status& error, std::string_view where) {
  LLM_CHECK(error.code() != StatusCode::internal);
  LLM_CHECK(error.message().starts_with(where));
  LLM_CHECK(error.message().size() < 3000);
  for (const char c : error.message()) LLM_CHECK(c >= 0x20 && c < 0x7f);
}

}  // namespace llm::fuzz
