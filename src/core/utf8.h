// UTF-8 reading and writing: decoding with the Unicode rule for broken input (one U+FFFD per
// maximal invalid subpart, as Python's bytes.decode("utf-8", "replace") does), validation,
// encoding. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace llm::core {

constexpr char32_t kReplacementCharacter = 0xFFFD;
constexpr std::string_view kReplacementUtf8 = "\xEF\xBF\xBD";

struct Utf8Char {
  char32_t code_point;  ///< kReplacementCharacter when not valid
  std::uint8_t length;  ///< bytes consumed, at least 1
  bool valid;
  bool truncated;  ///< not valid, but would be the beginning of a character if more bytes followed
};

/// Reads the character at `position`, which must be inside `text`.
Utf8Char decode_utf8(std::string_view text, std::size_t position);

bool is_valid_utf8(std::string_view text);
bool is_ascii(std::string_view text);

/// `text` with every maximal invalid subpart replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

/// Appends a Unicode scalar value.
void append_utf8(std::string& out, char32_t code_point);
std::string to_utf8(char32_t code_point);

/// Length of the character that starts with this byte; text must be valid UTF-8.
inline std::size_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Decodes a character of text known to be valid UTF-8.
inline char32_t decode_valid_utf8(const char* p, std::size_t length) {
  const auto byte = [p](std::size_t index) { return static_cast<unsigned char>(p[index]); };
  const auto tail = [&](std::size_t index) { return char32_t{byte(index)} & 0x3Fu; };
  switch (length) {
    case 1:
      return byte(0);
    case 2:
      return (char32_t{byte(0)} & 0x1Fu) << 6 | tail(1);
    case 3:
      return (char32_t{byte(0)} & 0x0Fu) << 12 | tail(1) << 6 | tail(2);
    default:
      return (char32_t{byte(0)} & 0x07u) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
  }
}

}  // namespace llm::core
