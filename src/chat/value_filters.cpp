// Filters that work on single values: numbers, defaults, JSON.
#include <array>
#include <cmath>

#include "chat/arguments.h"
#include "chat/attributes.h"
#include "chat/filters.h"
#include "chat/format_spec.h"
#include "chat/json_text.h"
#include "chat/operators.h"
#include "chat/parse_number.h"
#include "core/error.h"

namespace llm::chat {
namespace {

using Kind = Value::Kind;

Result<Value> absolute(Runtime&, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("abs", arguments, {}, 0).status());
  if (input.is(Kind::real)) return Value::real(std::abs(input.as_real()));
  if (input.is_integral()) {
    return input.as_integer() < 0 ? negate(input) : Value::integer(input.as_integer());
  }
  return core::invalid_argument("bad operand type for abs(): '{}'", input.type_name());
}

Result<Value> attribute(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("attr", arguments, {"name"}, 1));
  LLM_ASSIGN_OR_RETURN(const std::string name, text_or(given[0], "", "attr"));
  return get_attribute_only(runtime, input, name);
}

Result<Value> default_value(Runtime&, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given,
                       bind("default", arguments, {"default_value", "boolean"}, 0));
  LLM_ASSIGN_OR_RETURN(const bool boolean, truth_or(given[1], false));
  bool replaced = input.is_undefined();
  if (boolean && !replaced) {
    LLM_ASSIGN_OR_RETURN(const bool is_true, truth(input));
    replaced = !is_true;
  }
  if (!replaced) return input;
  return given[0].is_missing() ? Value::text("") : given[0];
}

// int() of a float; nothing for infinities and NaN.
Result<std::optional<std::int64_t>> whole(double value) {
  if (!std::isfinite(value)) return std::optional<std::int64_t>();
  const double cut = std::trunc(value);
  if (std::abs(cut) >= 9223372036854775808.0) {
    return core::invalid_argument("an integer of more than 64 bits");
  }
  return std::optional(static_cast<std::int64_t>(cut));
}

Result<Value> to_integer(Runtime&, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("int", arguments, {"default", "base"}, 0));
  LLM_ASSIGN_OR_RETURN(const std::int64_t base, integer_or(given[1], 10, "int"));
  if (input.is_undefined()) return undefined_error(input);
  std::optional<std::int64_t> number;
  if (input.is_integral()) {
    number = input.as_integer();
  } else if (input.is(Kind::real)) {
    if (std::isinf(input.as_real())) {
      return core::invalid_argument("cannot convert float infinity to integer");
    }
    LLM_ASSIGN_OR_RETURN(number, whole(input.as_real()));
  } else if (input.is_text()) {
    LLM_ASSIGN_OR_RETURN(number, parse_integer(input.bytes(), base));
    if (!number) {
      if (const auto real = parse_real(input.bytes())) {
        LLM_ASSIGN_OR_RETURN(number, whole(*real));
      }
    }
  }
  if (number) return Value::integer(*number);
  return given[0].is_missing() ? Value::integer(0) : given[0];
}

Result<Value> to_float(Runtime&, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("float", arguments, {"default"}, 0));
  if (input.is_undefined()) return undefined_error(input);
  if (input.is_number()) return Value::real(input.to_real());
  if (input.is_text()) {
    if (const auto number = parse_real(input.bytes())) return Value::real(*number);
  }
  return given[0].is_missing() ? Value::real(0) : given[0];
}

// Half to even, of an integer to tens, hundreds ...
Result<Value> round_integer(std::int64_t value, std::int64_t precision) {
  if (precision >= 0) return Value::integer(value);
  if (precision < -18) return Value::integer(0);
  std::int64_t unit = 1;
  for (; precision < 0; ++precision) unit *= 10;
  const std::int64_t rest = (value % unit + unit) % unit;
  const std::int64_t below = value - rest;
  const bool odd = (below / unit) % 2 != 0;
  const bool up = rest > unit / 2 || (rest * 2 == unit && odd);
  return up ? Value::integer(below + unit) : Value::integer(below);
}

double round_real(double value, std::int64_t precision) {
  constexpr std::int64_t kAllDigits = 323;
  if (!std::isfinite(value) || precision > kAllDigits) return value;
  if (precision < -308) return std::copysign(0.0, value);
  if (precision >= 0) {
    const std::string digits = float_digits(value, 'f', static_cast<int>(precision), false);
    return std::copysign(std::strtod(digits.c_str(), nullptr), value);
  }
  const double unit = std::pow(10.0, static_cast<double>(-precision));
  return std::nearbyint(value / unit) * unit;
}

Result<Value> round_number(Runtime&, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("round", arguments, {"precision", "method"}, 0));
  LLM_ASSIGN_OR_RETURN(const std::int64_t precision, integer_or(given[0], 0, "round"));
  LLM_ASSIGN_OR_RETURN(const std::string method, text_or(given[1], "common", "round"));
  if (method != "common" && method != "ceil" && method != "floor") {
    return core::invalid_argument("method must be common, ceil or floor");
  }
  if (!input.is_number()) {
    return core::invalid_argument("type {} cannot be rounded", input.type_name());
  }
  if (method == "common") {
    if (input.is_integral()) return round_integer(input.as_integer(), precision);
    return Value::real(round_real(input.as_real(), precision));
  }
  const double unit = std::pow(10.0, static_cast<double>(precision));
  const double scaled = input.to_real() * unit;
  if (!std::isfinite(scaled)) return core::invalid_argument("cannot round {}", scaled);
  // Python's ceil and floor are integers, which have no negative zero.
  const double whole = (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) + 0.0;
  return Value::real(whole / unit);
}

Result<JsonStyle> json_style(Runtime& runtime, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(
      const auto given,
      bind("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"}, 0));
  JsonStyle style;
  LLM_ASSIGN_OR_RETURN(style.ascii_only, truth_or(given[0], false));
  const Value& indent = given[1];
  if (indent.is_text()) {
    style.indent = indent.bytes();
  } else if (!indent.is_missing() && !indent.is_none()) {
    LLM_ASSIGN_OR_RETURN(const std::int64_t width, integer_or(indent, 0, "tojson"));
    const auto spaces = static_cast<std::size_t>(std::max<std::int64_t>(width, 0));
    if (!runtime.budget.admits(spaces)) return runtime.budget.status();
    style.indent = std::string(spaces, ' ');
  }
  if (style.indent) style.item_separator = ",";
  const Value& separators = given[2];
  if (!separators.is_missing() && !separators.is_none()) {
    if (!separators.is_sequence() || separators.items().size() != 2 ||
        !separators.items()[0].is_text() || !separators.items()[1].is_text()) {
      return core::invalid_argument("tojson: separators must be two strings");
    }
    style.item_separator = separators.items()[0].bytes();
    style.key_separator = separators.items()[1].bytes();
  }
  LLM_ASSIGN_OR_RETURN(style.sort_keys, truth_or(given[3], false));
  return style;
}

Result<Value> json(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const JsonStyle style, json_style(runtime, arguments));
  LLM_ASSIGN_OR_RETURN(std::string text, to_json(runtime, input, style));
  return runtime.text(std::move(text));
}

constexpr std::array kFilters = {
    Filter{"abs", absolute},          Filter{"attr", attribute}, Filter{"d", default_value},
    Filter{"default", default_value}, Filter{"float", to_float}, Filter{"int", to_integer},
    Filter{"round", round_number},    Filter{"tojson", json},
};

}  // namespace

std::span<const Filter> value_filters() { return kFilters; }

}  // namespace llm::chat
