// The byte-level alphabet of GPT-2: every byte has a printable character of its own, so that a
// vocabulary of strings can hold arbitrary bytes. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace llm::tokenizer {

/// The character that stands for a byte: itself where printable, else U+0100 and following.
char32_t byte_to_char(std::uint8_t byte);
/// Nothing for a character outside of the alphabet.
std::optional<std::uint8_t> char_to_byte(char32_t c);

/// Every byte as its character, in UTF-8.
std::string bytes_to_alphabet(std::string_view bytes);
/// The reverse; nothing when a character is outside of the alphabet. Needs valid UTF-8.
std::optional<std::string> alphabet_to_bytes(std::string_view text);
/// The same, appended to `out`; false, with nothing appended, when a character is outside.
bool append_alphabet_bytes(std::string& out, std::string_view text);

}  // namespace llm::tokenizer
