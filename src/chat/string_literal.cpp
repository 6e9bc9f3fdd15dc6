#include "chat/string_literal.h"

#include <fmt/core.h>

#include <charconv>

#include "core/utf8.h"

namespace llm::chat {
namespace {

// Python's lexer spells characters beyond ASCII as escapes before it looks at backslashes. Behind a
// backslash, that spelling stays visible.
std::string spelled(char32_t c) {
  const auto value = static_cast<unsigned>(c);
  return value < 0x100     ? fmt::format("\\x{:02x}", value)
         : value < 0x10000 ? fmt::format("\\u{:04x}", value)
                           : fmt::format("\\U{:08x}", value);
}

struct Simple {
  char escape;
  char meaning;
};
constexpr Simple kSimple[] = {{'\\', '\\'}, {'\'', '\''}, {'"', '"'},  {'a', '\a'}, {'b', '\b'},
                              {'f', '\f'},  {'n', '\n'},  {'r', '\r'}, {'t', '\t'}, {'v', '\v'}};

}  // namespace

std::string unescape(std::string_view literal, std::string& out) {
  for (std::size_t at = 0; at < literal.size();) {
    if (literal[at] != '\\') {
      out += literal[at++];
      continue;
    }
    if (++at == literal.size()) return "a string ends with a backslash";
    const char c = literal[at];
    const std::size_t length = core::utf8_length(c);
    if (length > 1) {
      out += spelled(core::decode_valid_utf8(literal.data() + at, length));
      at += length;
      continue;
    }
    ++at;
    if (c == '\n') continue;
    bool simple = false;
    for (const Simple& known : kSimple) {
      if (known.escape != c) continue;
      out += known.meaning;
      simple = true;
    }
    if (simple) continue;
    if (c >= '0' && c <= '7') {
      char32_t value = 0;
      --at;
      for (int digits = 0;
           digits < 3 && at < literal.size() && literal[at] >= '0' && literal[at] <= '7';
           ++digits) {
        value = value * 8 + static_cast<char32_t>(literal[at++] - '0');
      }
      core::append_utf8(out, value);
      continue;
    }
    if (c == 'N') return "the escape \\N{...} is not supported: write the character itself";
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) {  // unknown: kept as written
      out += '\\';
      out += c;
      continue;
    }
    const std::string_view text = literal.substr(at, digits);
    unsigned value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (failed != std::errc() || end != text.data() + digits) {
      return fmt::format("truncated escape \\{}", c);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
      return fmt::format("\\{}{} is not a character", c, text);
    }
    core::append_utf8(out, value);
    at += digits;
  }
  return {};
}

}  // namespace llm::chat
