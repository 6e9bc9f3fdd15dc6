// Formatting by Python's rules: the format specification of str.format ("{:>8.3f}") and what it has
// in common with the % operator.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "chat/object.h"
#include "chat/value.h"

namespace llm::chat {

/// format(value, specification)
Result<std::string> format_value(Runtime& runtime, const Value& value, std::string_view spec);

/// '{...}'.format(arguments), with fields like {0.name[index]!r:>{width}}
Result<std::string> format_text(Runtime& runtime, std::string_view format,
                                const Arguments& arguments);

/// Digits of |value| in 'f', 'e' or 'g' notation (upper case for upper-case types). `keep_zeros`:
/// the
/// '#' flag. Precisions beyond kMaxPrecision are refused by the callers.
std::string float_digits(double value, char type, int precision, bool keep_zeros);
constexpr int kMaxPrecision = 1000;

/// An integer's magnitude in base 2, 8, 10 or 16.
std::string integer_digits(std::uint64_t magnitude, int base, bool upper);
inline std::uint64_t magnitude_of(std::int64_t value) {
  return value < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(value)
                   : static_cast<std::uint64_t>(value);
}

}  // namespace llm::chat
