#include "chat/percent_format.h"

#include <algorithm>
#include <cmath>

#include "chat/format_spec.h"
#include "chat/operators.h"
#include "chat/python_text.h"
#include "chat/unicode.h"
#include "core/error.h"
#include "core/utf8.h"

namespace llm::chat {
namespace {

struct Conversion {
  bool left = false, plus = false, space = false, alternate = false, zero = false;
  std::int64_t width = 0;
  std::int64_t precision = -1;
  char type = '\0';
};

class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, std::string_view format, const Value& values)
      : runtime_(runtime), format_(format), values_(values) {}

  Result<Value> run() {
    while (at_ < format_.size()) {
      const std::size_t percent = std::min(format_.find('%', at_), format_.size());
      out_ += format_.substr(at_, percent - at_);
      at_ = percent + 1;
      if (percent < format_.size()) LLM_RETURN_IF_ERROR(convert());
    }
    // Whatever can be subscripted might have been meant for '%(name)s': it may be left over.
    const bool one_value =
        !values_.is_mapping() && !values_.is(Value::Kind::list) && !values_.is_undefined();
    const bool left_over =
        values_.is(Value::Kind::tuple) ? next_ < values_.items().size() : one_value && next_ == 0;
    if (left_over && !by_name_) {
      return core::invalid_argument("not all arguments converted during string formatting");
    }
    return runtime_.text(std::move(out_));
  }

 private:
  Result<Value> next_value() {
    if (values_.is(Value::Kind::tuple)) {
      if (next_ < values_.items().size()) return values_.items()[next_++];
    } else if (next_++ == 0) {
      return values_;
    }
    return core::invalid_argument("not enough arguments for format string");
  }

  // A number of the format, or the next value for `*`.
  Status read_number(std::int64_t& number, Conversion& conversion) {
    constexpr std::int64_t kLargest = 1 << 30;
    if (at_ < format_.size() && format_[at_] == '*') {
      ++at_;
      LLM_ASSIGN_OR_RETURN(const Value value, next_value());
      if (!value.is_integral()) return core::invalid_argument("* wants int");
      number = value.as_integer();
      if (&number == &conversion.width && number < 0) {
        conversion.left = true;
        number = number < -kLargest ? kLargest + 1 : -number;
      }
    } else {
      while (at_ < format_.size() && format_[at_] >= '0' && format_[at_] <= '9' &&
             number <= kLargest) {
        number = number * 10 + (format_[at_++] - '0');
      }
    }
    return number > kLargest ? core::invalid_argument("a width of the format is too large")
                             : Status();
  }

  Result<Value> named_value() {
    const std::size_t begin = ++at_;
    for (int depth = 1; at_ < format_.size(); ++at_) {
      depth += format_[at_] == '(' ? 1 : format_[at_] == ')' ? -1 : 0;
      if (depth == 0) break;
    }
    if (at_ >= format_.size()) return core::invalid_argument("incomplete format key");
    if (!values_.is_mapping()) return core::invalid_argument("format requires a mapping");
    by_name_ = true;
    const std::string_view name = format_.substr(begin, at_++ - begin);
    const Value* found = values_.as_mapping().find(name);
    if (found == nullptr) return core::invalid_argument("format key '{}' is missing", name);
    return *found;
  }

  Status convert() {
    Conversion conversion;
    Value value;
    if (at_ < format_.size() && format_[at_] == '(') {
      LLM_ASSIGN_OR_RETURN(value, named_value());
    }
    for (; at_ < format_.size(); ++at_) {
      const char flag = format_[at_];
      if (flag == '-')
        conversion.left = true;
      else if (flag == '+')
        conversion.plus = true;
      else if (flag == ' ')
        conversion.space = true;
      else if (flag == '#')
        conversion.alternate = true;
      else if (flag == '0')
        conversion.zero = true;
      else
        break;
    }
    LLM_RETURN_IF_ERROR(read_number(conversion.width, conversion));
    if (at_ < format_.size() && format_[at_] == '.') {
      ++at_;
      conversion.precision = 0;
      LLM_RETURN_IF_ERROR(read_number(conversion.precision, conversion));
      conversion.precision = std::max<std::int64_t>(conversion.precision, 0);
    }
    while (at_ < format_.size() &&
           (format_[at_] == 'h' || format_[at_] == 'l' || format_[at_] == 'L')) {
      ++at_;
    }
    if (at_ >= format_.size()) return core::invalid_argument("incomplete format");
    conversion.type = format_[at_++];
    if (conversion.type == '%') {
      out_ += '%';
      return {};
    }
    if (value.is_missing()) {
      LLM_ASSIGN_OR_RETURN(value, next_value());
    }
    return write(conversion, value);
  }

  Status write(const Conversion& conversion, const Value& value) {
    switch (conversion.type) {
      case 's':
      case 'r':
      case 'a': {
        LLM_ASSIGN_OR_RETURN(std::string text, conversion.type == 's' ? to_text(runtime_, value)
                                                                      : repr(runtime_, value));
        if (conversion.type == 'a' && !core::is_ascii(text)) {
          return core::invalid_argument("%a of characters beyond ASCII is not supported");
        }
        if (conversion.precision >= 0) {
          text.resize(byte_offset(text, static_cast<std::size_t>(conversion.precision)));
        }
        return pad(conversion, "", text, /*number=*/false);
      }
      case 'c': {
        if (value.is_text() && value.as_text().length == 1) {
          return pad(conversion, "", value.bytes(), false);
        }
        if (!value.is_integral()) return core::invalid_argument("%c requires int or char");
        LLM_ASSIGN_OR_RETURN(const std::string text, format_value(runtime_, value, "c"));
        return pad(conversion, "", text, false);
      }
      case 'd':
      case 'i':
      case 'u':
      case 'o':
      case 'x':
      case 'X':
        return write_integer(conversion, value);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return write_real(conversion, value);
      default:
        return core::invalid_argument("unsupported format character '{}'", conversion.type);
    }
  }

  std::string sign(bool negative, const Conversion& conversion) const {
    return negative ? "-" : conversion.plus ? "+" : conversion.space ? " " : "";
  }

  Status write_integer(const Conversion& conversion, const Value& value) {
    const bool decimal = conversion.type == 'd' || conversion.type == 'i' || conversion.type == 'u';
    const bool from_real = decimal && value.is(Value::Kind::real);
    if (!value.is_integral() && !(from_real && std::isfinite(value.as_real()))) {
      return core::invalid_argument("%{} format: a number is required, not {}", conversion.type,
                                    value.type_name());
    }
    if (conversion.precision > kMaxPrecision) {
      return core::invalid_argument("a precision of more than {} is not supported", kMaxPrecision);
    }
    const int base = decimal ? 10 : conversion.type == 'o' ? 8 : 16;
    const double whole = from_real ? std::trunc(value.as_real()) : 0;
    const bool negative = from_real ? whole < 0 : value.as_integer() < 0;
    std::string digits =
        from_real ? float_digits(whole, 'f', 0, false)
                  : integer_digits(magnitude_of(value.as_integer()), base, conversion.type == 'X');
    if (conversion.precision > static_cast<std::int64_t>(digits.size())) {
      digits.insert(0, static_cast<std::size_t>(conversion.precision) - digits.size(), '0');
    }
    std::string prefix = sign(negative, conversion);
    if (conversion.alternate && base != 10) prefix += std::string("0") + conversion.type;
    return pad(conversion, prefix, digits, true);
  }

  Status write_real(const Conversion& conversion, const Value& value) {
    if (value.is_undefined()) return undefined_error(value);
    if (!value.is_number()) {
      return core::invalid_argument("must be real number, not {}", value.type_name());
    }
    if (conversion.precision > kMaxPrecision) {
      return core::invalid_argument("a precision of more than {} is not supported", kMaxPrecision);
    }
    const double number = value.to_real();
    const int precision = conversion.precision < 0 ? 6 : static_cast<int>(conversion.precision);
    return pad(conversion, sign(std::signbit(number) && !std::isnan(number), conversion),
               float_digits(number, conversion.type, precision, conversion.alternate), true);
  }

  Status pad(const Conversion& conversion, const std::string& prefix, const std::string& body,
             bool number) {
    const std::size_t length = prefix.size() + code_points(body).size();
    const auto width = static_cast<std::size_t>(conversion.width);
    const std::size_t missing = width > length ? width - length : 0;
    if (!runtime_.budget.admits(out_.size() + missing)) return runtime_.budget.status();
    const bool zeros = number && conversion.zero && !conversion.left;
    if (!conversion.left && !zeros) out_.append(missing, ' ');
    out_ += prefix;
    if (zeros) out_.append(missing, '0');
    out_ += body;
    if (conversion.left) out_.append(missing, ' ');
    return {};
  }

  Runtime& runtime_;
  const std::string_view format_;
  const Value& values_;
  std::size_t at_ = 0;
  std::size_t next_ = 0;
  bool by_name_ = false;
  std::string out_;
};

}  // namespace

Result<Value> percent_format(Runtime& runtime, const Value& format, const Value& values) {
  runtime.budget.spend_bytes(format.bytes().size());
  return PercentFormatter(runtime, format.bytes(), values).run();
}

}  // namespace llm::chat
