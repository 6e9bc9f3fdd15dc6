#include "chat/python_text.h"

#include <fmt/core.h>

#include <charconv>
#include <cmath>

#include "chat/unicode.h"
#include "core/utf8.h"

namespace llm::chat {
namespace {

// Writes into one string, so that the size of a large result is seen while it grows.
class ReprWriter {
 public:
  explicit ReprWriter(Runtime& runtime) : runtime_(runtime) {}

  Status write(const Value& value) {
    if (!runtime_.budget.spend() || !runtime_.budget.admits(out_.size())) {
      return runtime_.budget.status();
    }
    switch (value.kind()) {
      case Value::Kind::missing:
      case Value::Kind::undefined:
        out_ += "Undefined";
        return {};
      case Value::Kind::none:
        out_ += "None";
        return {};
      case Value::Kind::boolean:
        out_ += value.as_boolean() ? "True" : "False";
        return {};
      case Value::Kind::integer:
        out_ += std::to_string(value.as_integer());
        return {};
      case Value::Kind::real:
        out_ += float_repr(value.as_real());
        return {};
      case Value::Kind::text:
        if (value.as_text().is_markup) {
          out_ += "Markup(" + text_repr(value.bytes()) + ")";
        } else {
          out_ += text_repr(value.bytes());
        }
        return {};
      case Value::Kind::list:
      case Value::Kind::tuple:
        return write_sequence(value);
      case Value::Kind::mapping:
        return write_mapping(value.as_mapping());
      case Value::Kind::object: {
        LLM_ASSIGN_OR_RETURN(const std::string text, value.as_object().repr(runtime_));
        out_ += text;
        return {};
      }
    }
    return {};
  }

  std::string take() { return std::move(out_); }

 private:
  Status write_sequence(const Value& value) {
    const bool is_list = value.is(Value::Kind::list);
    out_ += is_list ? '[' : '(';
    const auto& items = value.items();
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ", ";
      LLM_RETURN_IF_ERROR(write(items[i]));
    }
    if (!is_list && items.size() == 1) out_ += ',';
    out_ += is_list ? ']' : ')';
    return {};
  }

  Status write_mapping(const Mapping& mapping) {
    out_ += '{';
    bool first = true;
    for (const auto& [key, value] : mapping.entries()) {
      if (!first) out_ += ", ";
      first = false;
      LLM_RETURN_IF_ERROR(write(key));
      out_ += ": ";
      LLM_RETURN_IF_ERROR(write(value));
    }
    out_ += '}';
    return {};
  }

  Runtime& runtime_;
  std::string out_;
};

std::string escaped(char32_t c) {
  if (c < 0x100) return fmt::format("\\x{:02x}", static_cast<unsigned>(c));
  if (c < 0x10000) return fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  return fmt::format("\\U{:08x}", static_cast<unsigned>(c));
}

}  // namespace

Result<std::string> to_text(Runtime& runtime, const Value& value) {
  if (value.is_text()) return value.bytes();
  if (value.is_undefined()) return std::string();
  return repr(runtime, value);
}

Result<std::string> repr(Runtime& runtime, const Value& value) {
  ReprWriter writer(runtime);
  LLM_RETURN_IF_ERROR(writer.write(value));
  return writer.take();
}

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto written =
      std::to_chars(buffer, buffer + sizeof buffer, std::abs(value), std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<std::size_t>(written.ptr - buffer));
  const std::size_t e = text.find('e');
  const char* digits_of_exponent = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  int exponent = 0;
  std::from_chars(digits_of_exponent, written.ptr, exponent);
  std::string digits(1, text[0]);
  if (e > 2) digits += text.substr(2, e - 2);
  const auto count = static_cast<int>(digits.size());
  std::string out = std::signbit(value) ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    out += digits.substr(0, 1);
    if (count > 1) out += "." + digits.substr(1);
    return out + fmt::format("e{}{:02d}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) {
    return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  }
  if (count <= exponent + 1) {
    return out + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
  }
  const auto point = static_cast<std::size_t>(exponent + 1);
  return out + digits.substr(0, point) + "." + digits.substr(point);
}

std::string text_repr(std::string_view text) {
  const bool double_quoted =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = double_quoted ? '"' : '\'';
  std::string out(1, quote);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = core::utf8_length(text[at]);
    const char32_t c = core::decode_valid_utf8(text.data() + at, length);
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (!is_printable(c)) {
      out += escaped(c);
    } else {
      out += text.substr(at, length);
    }
    at += length;
  }
  return out + quote;
}

}  // namespace llm::chat
