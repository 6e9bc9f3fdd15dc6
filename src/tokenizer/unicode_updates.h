// Where the versions of Unicode behind tokenizers differ. Hugging Face's regular expressions know
// Unicode 16, PCRE2's tables may be older; its Punctuation and StripAccents, on the other hand,
// stay with tables of Unicode 8 and 9. Static tables; pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace llm::tokenizer {

/// For a character of Unicode 15 or 16: an older one with the same general category (of the same
/// script, if that is Han) and as many bytes of UTF-8. Any other character: itself.
char32_t older_equivalent(char32_t c);

/// `text` with every character replaced by its older equivalent; nothing when that changes nothing.
/// Must be valid UTF-8.
std::optional<std::string> with_older_equivalents(std::string_view text);

/// Punctuation since a version later than 8.
bool is_newer_punctuation(char32_t c);
/// A combining mark since a version later than 9.
bool is_newer_mark(char32_t c);
/// Decomposable since a version later than 9.
bool is_newer_composite(char32_t c);
/// The lower-case letter of an upper-case one of Unicode 16 or 17; any other character: itself.
char32_t newer_lowercase(char32_t c);

}  // namespace llm::tokenizer
