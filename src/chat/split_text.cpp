#include "chat/split_text.h"

#include <algorithm>
#include <limits>

#include "chat/unicode.h"
#include "core/error.h"
#include "core/utf8.h"

namespace llm::chat {
namespace {

struct Character {
  char32_t point;
  std::size_t length;
};

Character first_of(std::string_view text) {
  const std::size_t length = core::utf8_length(text[0]);
  return {core::decode_valid_utf8(text.data(), length), length};
}

Character last_of(std::string_view text) {
  std::size_t begin = text.size() - 1;
  while ((static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) --begin;
  return first_of(text.substr(begin));
}

std::int64_t limit(std::int64_t most) {
  return most < 0 ? std::numeric_limits<std::int64_t>::max() : most;
}

}  // namespace

std::vector<Value> split_space(Runtime& runtime, std::string_view text, std::int64_t most,
                               bool from_right) {
  std::vector<Value> parts;
  text = from_right ? strip_right(text) : strip_left(text);
  for (std::int64_t left = limit(most); !text.empty(); --left) {
    if (left == 0) {
      const std::string_view rest = from_right ? strip_right(text) : strip_left(text);
      parts.push_back(runtime.text(std::string(rest)));
      break;
    }
    std::string_view rest = text;
    while (!rest.empty()) {
      const Character c = from_right ? last_of(rest) : first_of(rest);
      if (is_space(c.point)) break;
      from_right ? rest.remove_suffix(c.length) : rest.remove_prefix(c.length);
    }
    const std::size_t length = text.size() - rest.size();
    parts.push_back(
        runtime.text(std::string(from_right ? text.substr(rest.size()) : text.substr(0, length))));
    text = from_right ? strip_right(rest) : strip_left(rest);
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Value> split_at(Runtime& runtime, std::string_view text, std::string_view separator,
                            std::int64_t most, bool from_right) {
  std::vector<Value> parts;
  for (std::int64_t left = limit(most); left > 0; --left) {
    const std::size_t at = from_right ? text.rfind(separator) : text.find(separator);
    if (at == std::string_view::npos) break;
    const std::string_view after = text.substr(at + separator.size());
    parts.push_back(runtime.text(std::string(from_right ? after : text.substr(0, at))));
    text = from_right ? text.substr(0, at) : after;
  }
  parts.push_back(runtime.text(std::string(text)));
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = first_of(text.substr(at));
    const std::size_t line_end = at;
    at += c.length;
    if (!is_line_end(c.point)) continue;
    if (c.point == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(begin, (keep_ends ? at : line_end) - begin));
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

Result<Value> strip_text(Runtime& runtime, const Value& text, const Value& chars, bool left,
                         bool right) {
  std::string_view rest = text.bytes();
  if (chars.is_missing() || chars.is_none()) {
    if (left) rest = strip_left(rest);
    if (right) rest = strip_right(rest);
    return runtime.text(std::string(rest));
  }
  if (!chars.is_text()) return core::invalid_argument("strip arg must be None or str");
  const std::vector<char32_t> set = code_points(chars.bytes());
  const auto in_set = [&](char32_t c) { return std::find(set.begin(), set.end(), c) != set.end(); };
  runtime.budget.spend(set.size());
  while (left && !rest.empty() && in_set(first_of(rest).point)) {
    if (!runtime.budget.spend(1 + set.size() / 64)) return runtime.budget.status();
    rest.remove_prefix(first_of(rest).length);
  }
  while (right && !rest.empty() && in_set(last_of(rest).point)) {
    if (!runtime.budget.spend(1 + set.size() / 64)) return runtime.budget.status();
    rest.remove_suffix(last_of(rest).length);
  }
  return runtime.text(std::string(rest));
}

Result<Value> replace_text(Runtime& runtime, std::string_view text, std::string_view old,
                           std::string_view with, std::int64_t most) {
  std::string out;
  std::size_t at = 0;
  runtime.budget.spend_bytes(text.size());
  for (std::int64_t left = limit(most); left > 0; --left) {
    if (!runtime.budget.admits(out.size() + with.size())) return runtime.budget.status();
    if (old.empty()) {  // between all characters, and at both ends
      out += with;
      if (at == text.size()) break;
      const std::size_t length = core::utf8_length(text[at]);
      out += text.substr(at, length);
      at += length;
      continue;
    }
    const std::size_t found = text.find(old, at);
    if (found == std::string_view::npos) break;
    out += text.substr(at, found - at);
    out += with;
    at = found + old.size();
  }
  out += text.substr(at);
  return runtime.text(std::move(out));
}

Result<Value> pad_text(Runtime& runtime, const Value& text, std::int64_t width,
                       std::string_view fill, char align) {
  const std::int64_t length = text.as_text().length;
  if (width <= length) return text;
  const auto missing = static_cast<std::size_t>(width - length);
  if (missing > runtime.budget.limits().memory_bytes ||
      !runtime.budget.admits(missing * fill.size() + text.bytes().size())) {
    return core::resource_exhausted("padding to {} characters takes too much memory", width);
  }
  std::size_t before = align == '>' ? missing : 0;
  // CPython's rule for an odd number of characters, which is not that of format().
  if (align == '^') before = missing / 2 + (missing & static_cast<std::size_t>(width) & 1);
  std::string out;
  for (std::size_t i = 0; i < before; ++i) out += fill;
  out += text.bytes();
  for (std::size_t i = before; i < missing; ++i) out += fill;
  return runtime.text(std::move(out));
}

}  // namespace llm::chat
