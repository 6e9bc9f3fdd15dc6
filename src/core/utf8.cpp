#include "core/utf8.h"

#include <cstring>

namespace llm::core {
namespace {

struct LeadByte {
  std::uint8_t length;       // 0: cannot start a character
  std::uint8_t second_low;   // allowed range of the second byte: excludes overlong forms,
  std::uint8_t second_high;  // surrogates and values above U+10FFFF
};

LeadByte classify_lead(unsigned char lead) {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// Number of leading ASCII bytes, counted in blocks of eight and so possibly too few by up to 7.
std::size_t ascii_prefix(std::string_view text) {
  std::size_t count = 0;
  while (text.size() - count >= 8) {
    std::uint64_t block;
    std::memcpy(&block, text.data() + count, 8);
    if ((block & 0x8080808080808080u) != 0) break;
    count += 8;
  }
  return count;
}

}  // namespace

Utf8Char decode_utf8(std::string_view text, std::size_t position) {
  const auto byte = [&](std::size_t index) {
    return static_cast<unsigned char>(text[position + index]);
  };
  const LeadByte lead = classify_lead(byte(0));
  if (lead.length == 1) return {byte(0), 1, true, false};
  const Utf8Char broken{kReplacementCharacter, 1, false, false};
  if (lead.length == 0) return broken;
  const std::size_t available = text.size() - position;
  for (std::uint8_t index = 1; index < lead.length; ++index) {
    if (index >= available) return {kReplacementCharacter, index, false, true};
    const unsigned char low = index == 1 ? lead.second_low : 0x80;
    const unsigned char high = index == 1 ? lead.second_high : 0xBF;
    if (byte(index) < low || byte(index) > high) {
      return {kReplacementCharacter, index, false, false};
    }
  }
  return {decode_valid_utf8(text.data() + position, lead.length), lead.length, true, false};
}

bool is_valid_utf8(std::string_view text) {
  std::size_t position = 0;
  while (position < text.size()) {
    const auto byte = [&](std::size_t index) {
      return static_cast<unsigned char>(text[position + index]);
    };
    if (byte(0) < 0x80) {
      const std::size_t skip = ascii_prefix(text.substr(position));
      position += skip == 0 ? 1 : skip;
      continue;
    }
    const LeadByte lead = classify_lead(byte(0));
    if (lead.length == 0 || text.size() - position < lead.length) return false;
    if (byte(1) < lead.second_low || byte(1) > lead.second_high) return false;
    if (lead.length > 2 && (byte(2) & 0xC0) != 0x80) return false;
    if (lead.length > 3 && (byte(3) & 0xC0) != 0x80) return false;
    position += lead.length;
  }
  return true;
}

bool is_ascii(std::string_view text) {
  for (std::size_t position = ascii_prefix(text); position < text.size(); ++position) {
    if (static_cast<unsigned char>(text[position]) >= 0x80) return false;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t position = 0;
  while (position < text.size()) {
    const std::size_t ascii = ascii_prefix(text.substr(position));
    out.append(text, position, ascii);
    position += ascii;
    if (position == text.size()) break;
    const Utf8Char c = decode_utf8(text, position);
    if (c.valid) {
      out.append(text, position, c.length);
    } else {
      out += kReplacementUtf8;
    }
    position += c.length;
  }
  return out;
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto put = [&out](char32_t value) {
    out.push_back(static_cast<char>(static_cast<unsigned char>(value)));
  };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::string to_utf8(char32_t code_point) {
  std::string out;
  append_utf8(out, code_point);
  return out;
}

}  // namespace llm::core
