#include "tokenizer/byte_level.h"

#include <array>

#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<char32_t, 256> chars{};
  std::array<std::int16_t, 0x144> bytes{};  // by character; -1: none

  constexpr Alphabet() {
    for (std::int16_t& byte : bytes) byte = -1;
    char32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      chars[byte] = stands_for_itself(byte) ? byte : next++;
      bytes[chars[byte]] = static_cast<std::int16_t>(byte);
    }
  }
};

constexpr Alphabet kAlphabet;

}  // namespace

char32_t byte_to_char(std::uint8_t byte) { return kAlphabet.chars[byte]; }

std::optional<std::uint8_t> char_to_byte(char32_t c) {
  if (c >= kAlphabet.bytes.size() || kAlphabet.bytes[c] < 0) return std::nullopt;
  return static_cast<std::uint8_t>(kAlphabet.bytes[c]);
}

std::string bytes_to_alphabet(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) append_utf8(out, byte_to_char(static_cast<std::uint8_t>(c)));
  return out;
}

std::optional<std::string> alphabet_to_bytes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  if (!append_alphabet_bytes(out, text)) return std::nullopt;
  return out;
}

bool append_alphabet_bytes(std::string& out, std::string_view text) {
  const std::size_t before = out.size();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text[at]);
    const auto byte = char_to_byte(decode_valid_utf8(text.data() + at, length));
    if (!byte) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(*byte));
    at += length;
  }
  return true;
}

}  // namespace llm::tokenizer
