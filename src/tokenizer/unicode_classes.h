// Character classes and case mapping on Unicode scalar values, as the tokenizer.json operations
// define them. Backed by utf8proc's tables; pure functions.
#pragma once

#include <string>
#include <string_view>

#include "llm/status.h"

namespace llm::tokenizer {

/// The White_Space property.
bool is_white_space(char32_t c);
/// ASCII punctuation (including symbols such as '$') or general category P* of Unicode 8.
bool is_punctuation(char32_t c);
/// General category M* of Unicode 9.
bool is_combining_mark(char32_t c);
/// A regular expression's \w: Alphabetic, M*, Nd, Pc or Join_Control.
bool is_word(char32_t c);

/// Full lower-case mapping, without context.
void append_lowercase(std::string& out, char32_t c);

enum class NormalForm { nfc, nfd, nfkc, nfkd };
/// `text` must be valid UTF-8.
Result<std::string> normalize(std::string_view text, NormalForm form);

}  // namespace llm::tokenizer
