#include "chat/format_spec.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

#include "chat/operators.h"
#include "chat/python_text.h"
#include "chat/unicode.h"
#include "core/error.h"
#include "core/quote.h"
#include "core/utf8.h"

namespace llm::chat {
namespace {

// [[fill]align][sign][z][#][0][width][grouping][.precision][type]
struct Spec {
  std::string fill = " ";
  char align = '\0';  // < > ^ =
  char sign = '-';
  bool alternate = false;
  std::int64_t width = 0;
  char grouping = '\0';
  int precision = -1;
  char type = '\0';
};

bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

// A decimal number at the front of `text`, taken off it; false when it is too large.
bool take_number(std::string_view& text, std::int64_t& number) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    number = number * 10 + (text.front() - '0');
    if (number > kLargest) return false;
    text.remove_prefix(1);
  }
  return true;
}

Result<Spec> parse_spec(std::string_view text) {
  Spec spec;
  const Status invalid =
      core::invalid_argument("invalid format specifier {}", core::quote(text, 40));
  const std::size_t first = text.empty() ? 0 : core::utf8_length(text[0]);
  if (text.size() > first && is_align(text[first])) {
    spec.fill = std::string(text.substr(0, first));
    spec.align = text[first];
    text.remove_prefix(first + 1);
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[0];
    text.remove_prefix(1);
  }
  const auto take = [&](std::string_view any) {
    if (text.empty() || any.find(text[0]) == std::string_view::npos) return '\0';
    const char c = text[0];
    text.remove_prefix(1);
    return c;
  };
  if (const char sign = take("+- ")) spec.sign = sign;
  spec.alternate = take("#") != '\0';
  if (take("0") != '\0' && spec.align == '\0') {
    spec.fill = "0";
    spec.align = '=';
  }
  if (!take_number(text, spec.width)) return invalid;
  spec.grouping = take(",_");
  if (take(".") != '\0') {
    std::int64_t precision = 0;
    if (text.empty() || text[0] < '0' || text[0] > '9' || !take_number(text, precision)) {
      return core::invalid_argument("format specifier missing precision");
    }
    if (precision > kMaxPrecision) {
      return core::invalid_argument("a precision of more than {} is not supported", kMaxPrecision);
    }
    spec.precision = static_cast<int>(precision);
  }
  spec.type = take("bcdeEfFgGnosxX%");
  if (!text.empty()) return invalid;
  return spec;
}

std::size_t count_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string copies_of(std::string_view text, std::size_t count) {
  std::string out;
  out.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

// Digits before the decimal point in groups of `size`.
std::string grouped(const std::string& digits, char separator, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % size == 0) out += separator;
    out += digits[i];
  }
  return out;
}

Result<std::string> padded(Runtime& runtime, const Spec& spec, const std::string& sign_and_prefix,
                           std::string body, char default_align, std::size_t group) {
  const auto width = static_cast<std::size_t>(spec.width);
  if (!runtime.budget.admits(width * spec.fill.size())) return runtime.budget.status();
  const char align = spec.align == '\0' ? default_align : spec.align;
  if (spec.grouping != '\0' && align == '=' && spec.fill == "0") {
    // Zeros that fill up are grouped as well, and no group begins the number with a separator.
    const std::size_t point = body.find_first_of(".e%");
    std::string whole = body.substr(0, point);
    const std::string rest = point == std::string::npos ? "" : body.substr(point);
    while (grouped(whole, spec.grouping, group).size() + rest.size() + sign_and_prefix.size() <
           width) {
      whole.insert(whole.begin(), '0');
    }
    return sign_and_prefix + grouped(whole, spec.grouping, group) + rest;
  }
  if (spec.grouping != '\0') {
    const std::size_t point = body.find_first_of(".e%");
    body = grouped(body.substr(0, point), spec.grouping, group) +
           (point == std::string::npos ? "" : body.substr(point));
  }
  const std::size_t length = count_points(sign_and_prefix) + count_points(body);
  const std::size_t missing = length < width ? width - length : 0;
  const std::size_t before = align == '<' || align == '=' ? 0
                             : align == '>'               ? missing
                                                          : missing / 2;
  const std::size_t inside = align == '=' ? missing : 0;
  return copies_of(spec.fill, before) + sign_and_prefix + copies_of(spec.fill, inside) + body +
         copies_of(spec.fill, missing - before - inside);
}

std::string sign_text(bool negative, char sign) {
  return negative ? "-" : sign == '+' ? "+" : sign == ' ' ? " " : "";
}

Status unknown_code(char type, const Value& value) {
  return core::invalid_argument("Unknown format code '{}' for object of type '{}'", type,
                                value.type_name());
}

Result<std::string> format_real(Runtime& runtime, const Value& value, const Spec& spec) {
  double number = value.to_real();
  const bool percent = spec.type == '%';
  if (percent) number *= 100;
  std::string body;
  if (!std::isfinite(number)) {
    body = std::isnan(number) ? "nan" : "inf";
    if (spec.type == 'E' || spec.type == 'F' || spec.type == 'G') body = to_upper(body);
  } else if (spec.type == '\0' && spec.precision < 0) {
    body = float_repr(std::abs(number));
  } else if (spec.type == '\0') {
    // Like 'g', but with at least one digit behind the point.
    const int precision = std::max(spec.precision, 1);
    body = float_digits(number, 'g', precision, spec.alternate);
    const std::string scientific = float_digits(number, 'e', precision - 1, false);
    const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
    if (exponent == precision - 1 && body.find('e') == std::string::npos && !spec.alternate) {
      body = float_digits(number, 'e', precision - 1, false);
      // Python switches to the exponent one digit earlier than 'g' does.
      const std::size_t e = body.find('e');
      std::string mantissa = body.substr(0, e);
      if (mantissa.find('.') != std::string::npos) {
        while (mantissa.back() == '0') mantissa.pop_back();
        if (mantissa.back() == '.') mantissa.pop_back();
      }
      body = mantissa + body.substr(e);
    } else if (body.find_first_of(".e") == std::string::npos) {
      body += ".0";
    }
  } else {
    const char type = percent ? 'f' : spec.type == 'n' ? 'g' : spec.type;
    body = float_digits(number, type, spec.precision < 0 ? 6 : spec.precision, spec.alternate);
  }
  if (percent) body += '%';
  return padded(runtime, spec, sign_text(std::signbit(number) && !std::isnan(number), spec.sign),
                std::move(body), '>', 3);
}

Result<std::string> format_integer(Runtime& runtime, const Value& value, const Spec& spec) {
  if (spec.type != '\0' && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos) {
    return format_real(runtime, value, spec);
  }
  if (spec.type == 's') return unknown_code(spec.type, value);
  if (spec.precision >= 0) {
    return core::invalid_argument("Precision not allowed in integer format specifier");
  }
  const std::int64_t number = value.as_integer();
  if (spec.type == 'c') {
    if (number < 0 || number > 0x10FFFF || (number >= 0xD800 && number < 0xE000)) {
      return core::invalid_argument("%c arg not in range(0x110000)");
    }
    return padded(runtime, spec, "", core::to_utf8(static_cast<char32_t>(number)), '<', 3);
  }
  const int base = spec.type == 'b'                       ? 2
                   : spec.type == 'o'                     ? 8
                   : spec.type == 'x' || spec.type == 'X' ? 16
                                                          : 10;
  if (spec.grouping == ',' && base != 10) {
    return core::invalid_argument("Cannot specify ',' with '{}'", spec.type);
  }
  std::string prefix = sign_text(number < 0, spec.sign);
  if (spec.alternate && base != 10) prefix += std::string("0") + spec.type;
  return padded(runtime, spec, prefix, integer_digits(magnitude_of(number), base, spec.type == 'X'),
                '>', base == 10 ? 3 : 4);
}

}  // namespace

std::string integer_digits(std::uint64_t magnitude, int base, bool upper) {
  char buffer[72];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, magnitude, base).ptr;
  std::string digits(buffer, end);
  return upper ? to_upper(digits) : digits;
}

std::string float_digits(double value, char type, int precision, bool keep_zeros) {
  const char lower = static_cast<char>(type | 0x20);
  const std::string flag = keep_zeros ? "#" : "";
  std::string format = "%" + flag + ".*" + lower;
  const int size = std::snprintf(nullptr, 0, format.c_str(), precision, std::abs(value));
  std::string text(static_cast<std::size_t>(size), '\0');
  std::snprintf(text.data(), text.size() + 1, format.c_str(), precision, std::abs(value));
  return lower == type ? text : to_upper(text);
}

Result<std::string> format_value(Runtime& runtime, const Value& value, std::string_view text) {
  if (text.empty()) return to_text(runtime, value);
  switch (value.kind()) {
    case Value::Kind::boolean:
    case Value::Kind::integer: {
      LLM_ASSIGN_OR_RETURN(const Spec spec, parse_spec(text));
      return format_integer(runtime, value, spec);
    }
    case Value::Kind::real: {
      LLM_ASSIGN_OR_RETURN(const Spec spec, parse_spec(text));
      if (spec.type != '\0' &&
          std::string_view("bcdosxX").find(spec.type) != std::string_view::npos) {
        return unknown_code(spec.type, value);
      }
      return format_real(runtime, value, spec);
    }
    case Value::Kind::text: {
      LLM_ASSIGN_OR_RETURN(const Spec spec, parse_spec(text));
      if (spec.type != '\0' && spec.type != 's') return unknown_code(spec.type, value);
      if (spec.sign != '-' || spec.alternate || spec.grouping != '\0' ||
          (spec.align == '=' && spec.fill != "0")) {
        return core::invalid_argument("format specifier not allowed for a string");
      }
      Spec used = spec;
      if (used.align == '=') used.align = '<';
      std::string body = value.bytes();
      if (spec.precision >= 0) {
        body.resize(byte_offset(body, static_cast<std::size_t>(spec.precision)));
      }
      return padded(runtime, used, "", std::move(body), '<', 3);
    }
    default:
      return core::invalid_argument("unsupported format string passed to {}.__format__",
                                    value.type_name());
  }
}

}  // namespace llm::chat
