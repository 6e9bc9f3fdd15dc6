#include "chat/parse_number.h"

#include <charconv>
#include <cstdlib>
#include <limits>
#include <string>

#include "chat/unicode.h"
#include "core/error.h"

namespace llm::chat {
namespace {

// Takes out underscores, each of which must stand between two characters of a number.
std::optional<std::string> without_underscores(std::string_view text) {
  const auto in_number = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || i + 1 == text.size() || !in_number(text[i - 1]) ||
               !in_number(text[i + 1])) {
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace

Result<std::optional<std::int64_t>> parse_integer(std::string_view text, std::int64_t base) {
  using Found = std::optional<std::int64_t>;
  if (base != 0 && (base < 2 || base > 36)) return Found();  // a ValueError, like no number
  text = strip_left(strip_right(text));
  const bool negative = text.starts_with("-");
  if (negative || text.starts_with("+")) text.remove_prefix(1);
  if (text.size() > 2 && text[0] == '0') {
    const char letter = static_cast<char>(text[1] | 0x20);
    const int prefix = letter == 'b' ? 2 : letter == 'o' ? 8 : letter == 'x' ? 16 : 0;
    if (prefix != 0 && (base == 0 || base == prefix)) {
      base = prefix;
      text.remove_prefix(text[2] == '_' ? 3 : 2);
    }
  }
  if (base == 0) {
    if (text.size() > 1 && text[0] == '0' && text.find_first_not_of("0_") != text.npos) {
      return Found();
    }
    base = 10;
  }
  const auto digits = without_underscores(text);
  if (!digits || digits->empty() || digits->front() == '-' || digits->front() == '+') {
    return Found();
  }
  std::uint64_t magnitude = 0;
  const char* const end = digits->data() + digits->size();
  const auto read = std::from_chars(digits->data(), end, magnitude, static_cast<int>(base));
  if (read.ptr != end) return Found();
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (read.ec != std::errc() || magnitude > kMost) {
    return core::invalid_argument("an integer of more than 64 bits");
  }
  const auto value = static_cast<std::int64_t>(magnitude);
  return Found(negative ? -value : value);
}

std::optional<double> parse_real(std::string_view text) {
  text = strip_left(strip_right(text));
  const auto plain = without_underscores(text);
  if (!plain) return std::nullopt;
  std::string_view number = *plain;
  const bool negative = number.starts_with("-");
  if (negative || number.starts_with("+")) number.remove_prefix(1);
  const std::string lower = to_lower(number);
  double value = 0;
  if (lower == "inf" || lower == "infinity") {
    value = std::numeric_limits<double>::infinity();
  } else if (lower == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else {
    // Decimal only: strtod would take hexadecimal numbers as well.
    if (number.empty() || number.find_first_not_of("0123456789.eE+-") != number.npos ||
        number[0] == '+' || number[0] == '-') {
      return std::nullopt;
    }
    char* end = nullptr;
    const std::string copy(number);
    value = std::strtod(copy.c_str(), &end);
    if (end != copy.c_str() + copy.size()) return std::nullopt;
  }
  return negative ? -value : value;
}

}  // namespace llm::chat
