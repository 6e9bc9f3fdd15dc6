#include "chat/operators.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "chat/html.h"
#include "chat/iterate.h"
#include "chat/percent_format.h"
#include "core/error.h"

namespace llm::chat {
namespace {

using Operator = ArithmeticExpression::Operator;
using Kind = Value::Kind;

std::string_view symbol(Operator op) {
  switch (op) {
    case Operator::add:
      return "+";
    case Operator::subtract:
      return "-";
    case Operator::multiply:
      return "*";
    case Operator::divide:
      return "/";
    case Operator::floor_divide:
      return "//";
    case Operator::modulo:
      return "%";
    case Operator::power:
      return "** or pow()";
  }
  return "?";
}

Status unsupported_operands(Operator op, const Value& left, const Value& right) {
  return core::invalid_argument("unsupported operand type(s) for {}: '{}' and '{}'", symbol(op),
                                left.type_name(), right.type_name());
}

Status too_long() {
  return core::invalid_argument("the result is an integer of more than 64 bits");
}
Status division_by_zero() { return core::invalid_argument("division by zero"); }

std::int64_t floor_modulo(std::int64_t left, std::int64_t right) {
  if (right == -1) return 0;
  const std::int64_t remainder = left % right;
  return remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder;
}

Result<Value> integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return core::invalid_argument("0.0 cannot be raised to a negative power");
    return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  std::int64_t result = 1;
  if (base == 0 || base == 1) return Value::integer(exponent == 0 ? 1 : base);
  if (base == -1) return Value::integer(exponent % 2 == 0 ? 1 : -1);
  for (; exponent > 0; --exponent) {  // at most 63 times before it is too long
    if (__builtin_mul_overflow(result, base, &result)) return too_long();
  }
  return Value::integer(result);
}

Result<Value> integer_arithmetic(Operator op, std::int64_t left, std::int64_t right) {
  std::int64_t result = 0;
  switch (op) {
    case Operator::add:
      if (__builtin_add_overflow(left, right, &result)) return too_long();
      return Value::integer(result);
    case Operator::subtract:
      if (__builtin_sub_overflow(left, right, &result)) return too_long();
      return Value::integer(result);
    case Operator::multiply:
      if (__builtin_mul_overflow(left, right, &result)) return too_long();
      return Value::integer(result);
    case Operator::divide:
      if (right == 0) return division_by_zero();
      return Value::real(
          static_cast<double>(static_cast<long double>(left) / static_cast<long double>(right)));
    case Operator::floor_divide:
      if (right == 0) return core::invalid_argument("integer division or modulo by zero");
      if (right == -1) return integer_arithmetic(Operator::subtract, 0, left);
      return Value::integer(left / right -
                            (left % right != 0 && (left < 0) != (right < 0) ? 1 : 0));
    case Operator::modulo:
      if (right == 0) return core::invalid_argument("integer modulo by zero");
      return Value::integer(floor_modulo(left, right));
    case Operator::power:
      return integer_power(left, right);
  }
  return too_long();
}

// CPython's float_divmod.
void float_divmod(double left, double right, double& quotient, double& remainder) {
  remainder = std::fmod(left, right);
  double whole = (left - remainder) / right;
  if (remainder != 0) {
    if ((right < 0) != (remainder < 0)) {
      remainder += right;
      whole -= 1.0;
    }
  } else {
    remainder = std::copysign(0.0, right);
  }
  if (whole != 0) {
    quotient = std::floor(whole);
    if (whole - quotient > 0.5) quotient += 1.0;
  } else {
    quotient = std::copysign(0.0, left / right);
  }
}

Result<Value> real_power(double base, double exponent) {
  if (base == 0 && exponent < 0) {
    return core::invalid_argument("0.0 cannot be raised to a negative power");
  }
  if (base < 0 && std::isfinite(base) && std::isfinite(exponent) &&
      exponent != std::floor(exponent)) {
    return core::invalid_argument("a root of a negative number is not supported");
  }
  const double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent)) {
    return core::invalid_argument("the result is too large for a float");
  }
  return Value::real(result);
}

Result<Value> real_arithmetic(Operator op, double left, double right) {
  double quotient = 0;
  double remainder = 0;
  switch (op) {
    case Operator::add:
      return Value::real(left + right);
    case Operator::subtract:
      return Value::real(left - right);
    case Operator::multiply:
      return Value::real(left * right);
    case Operator::power:
      return real_power(left, right);
    default:
      break;
  }
  if (right == 0) return division_by_zero();
  if (op == Operator::divide) return Value::real(left / right);
  float_divmod(left, right, quotient, remainder);
  return Value::real(op == Operator::modulo ? remainder : quotient);
}

Result<Value> repeat(Runtime& runtime, const Value& sequence, std::int64_t times) {
  const std::size_t unit =
      sequence.is_text() ? sequence.bytes().size() : sequence.items().size() * sizeof(Value);
  const std::size_t copies =
      unit == 0 ? 0 : static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(unit, copies, &bytes)) bytes = std::numeric_limits<std::size_t>::max();
  if (!runtime.budget.admits(bytes)) return runtime.budget.status();
  if (sequence.is_text()) {
    std::string text;
    text.reserve(bytes);
    for (std::size_t i = 0; i < copies; ++i) text += sequence.bytes();
    return runtime.text(std::move(text), sequence.as_text().is_markup);
  }
  std::vector<Value> items;
  items.reserve(sequence.items().size() * copies);
  for (std::size_t i = 0; i < copies; ++i) {
    items.insert(items.end(), sequence.items().begin(), sequence.items().end());
  }
  return sequence.is(Kind::list) ? runtime.list(std::move(items)) : runtime.tuple(std::move(items));
}

Result<Value> concatenate(Runtime& runtime, const Value& left, const Value& right) {
  if (left.is_text() && right.is_text()) {
    const bool markup = left.as_text().is_markup || right.as_text().is_markup;
    if (!runtime.budget.admits(left.bytes().size() + right.bytes().size())) {
      return runtime.budget.status();
    }
    if (!markup) return runtime.text(left.bytes() + right.bytes());
    return runtime.text(escape_html(left.as_text()) + escape_html(right.as_text()), true);
  }
  if (left.is_sequence() && left.kind() == right.kind()) {
    const std::size_t size = left.items().size() + right.items().size();
    if (!runtime.budget.admits(size * sizeof(Value))) return runtime.budget.status();
    std::vector<Value> items;
    items.reserve(size);
    items.insert(items.end(), left.items().begin(), left.items().end());
    items.insert(items.end(), right.items().begin(), right.items().end());
    return left.is(Kind::list) ? runtime.list(std::move(items)) : runtime.tuple(std::move(items));
  }
  if (left.is_text()) {
    return core::invalid_argument("can only concatenate str (not \"{}\") to str",
                                  right.type_name());
  }
  return unsupported_operands(Operator::add, left, right);
}

Result<bool> sequence_less(Runtime& runtime, const Value& left, const Value& right) {
  const auto& a = left.items();
  const auto& b = right.items();
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (!a[i].same_as(b[i]) && !equal(a[i], b[i], &runtime.budget)) {
      return less(runtime, a[i], b[i]);
    }
  }
  return a.size() < b.size();
}

bool number_less(const Value& left, const Value& right) {
  if (left.is_integral() && right.is_integral()) return left.as_integer() < right.as_integer();
  const auto wide = [](const Value& v) {
    return v.is_integral() ? static_cast<long double>(v.as_integer())
                           : static_cast<long double>(v.as_real());
  };
  return wide(left) < wide(right);
}

Status not_comparable(std::string_view op, const Value& left, const Value& right) {
  return core::invalid_argument("'{}' not supported between instances of '{}' and '{}'", op,
                                left.type_name(), right.type_name());
}

}  // namespace

Status undefined_error(const Value& value) {
  return core::invalid_argument("{}", value.why_undefined());
}

Result<bool> truth(const Value& value) {
  switch (value.kind()) {
    case Kind::missing:
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::boolean:
    case Kind::integer:
      return value.as_integer() != 0;
    case Kind::real:
      return value.as_real() != 0;
    case Kind::text:
      return !value.bytes().empty();
    case Kind::list:
    case Kind::tuple:
      return !value.items().empty();
    case Kind::mapping:
      return value.as_mapping().size() > 0;
    case Kind::object: {
      LLM_ASSIGN_OR_RETURN(const auto size, value.as_object().length());
      return !size || *size > 0;
    }
  }
  return false;
}

Result<Value> arithmetic(Runtime& runtime, Operator op, const Value& left, const Value& right) {
  if (op == Operator::modulo && left.is_text()) return percent_format(runtime, left, right);
  if (left.is_undefined()) return undefined_error(left);
  if (right.is_undefined()) return undefined_error(right);
  if (left.is_integral() && right.is_integral()) {
    return integer_arithmetic(op, left.as_integer(), right.as_integer());
  }
  if (left.is_number() && right.is_number()) {
    return real_arithmetic(op, left.to_real(), right.to_real());
  }
  if (op == Operator::add) return concatenate(runtime, left, right);
  if (op == Operator::multiply) {
    const auto repeatable = [](const Value& v) { return v.is_text() || v.is_sequence(); };
    if (repeatable(left) && right.is_integral()) return repeat(runtime, left, right.as_integer());
    if (repeatable(right) && left.is_integral()) return repeat(runtime, right, left.as_integer());
  }
  return unsupported_operands(op, left, right);
}

Result<Value> negate(const Value& value) {
  if (value.is_undefined()) return undefined_error(value);
  if (value.is_integral()) return integer_arithmetic(Operator::subtract, 0, value.as_integer());
  if (value.is(Kind::real)) return Value::real(-value.as_real());
  return core::invalid_argument("bad operand type for unary -: '{}'", value.type_name());
}

Result<Value> plus(const Value& value) {
  if (value.is_undefined()) return undefined_error(value);
  if (value.is_integral()) return Value::integer(value.as_integer());
  if (value.is(Kind::real)) return value;
  return core::invalid_argument("bad operand type for unary +: '{}'", value.type_name());
}

namespace {

Result<bool> ordered(Runtime& runtime, std::string_view op, const Value& left, const Value& right,
                     bool or_equal) {
  if (left.is_undefined()) return undefined_error(left);
  if (right.is_undefined()) return undefined_error(right);
  if (left.is_number() && right.is_number()) {
    return number_less(left, right) || (or_equal && equal(left, right));
  }
  if (left.is_text() && right.is_text()) {
    runtime.budget.spend_bytes(left.bytes().size());
    // Bytes of UTF-8 are in the order of code points.
    return or_equal ? left.bytes() <= right.bytes() : left.bytes() < right.bytes();
  }
  if (left.is_sequence() && left.kind() == right.kind()) {
    if (or_equal && equal(left, right, &runtime.budget)) return true;
    return sequence_less(runtime, left, right);
  }
  return op.front() == '>' ? not_comparable(op, right, left) : not_comparable(op, left, right);
}

}  // namespace

Result<bool> less(Runtime& runtime, const Value& left, const Value& right) {
  return ordered(runtime, "<", left, right, false);
}

Result<bool> compare(Runtime& runtime, CompareExpression::Operator op, const Value& left,
                     const Value& right) {
  switch (op) {
    case CompareExpression::Operator::equal:
      return equal(left, right, &runtime.budget);
    case CompareExpression::Operator::not_equal:
      return !equal(left, right, &runtime.budget);
    case CompareExpression::Operator::less:
      return ordered(runtime, "<", left, right, false);
    case CompareExpression::Operator::less_equal:
      return ordered(runtime, "<=", left, right, true);
    case CompareExpression::Operator::greater:
      return ordered(runtime, ">", right, left, false);
    case CompareExpression::Operator::greater_equal:
      return ordered(runtime, ">=", right, left, true);
    case CompareExpression::Operator::in:
      return contains(runtime, right, left);
    case CompareExpression::Operator::not_in: {
      LLM_ASSIGN_OR_RETURN(const bool found, contains(runtime, right, left));
      return !found;
    }
  }
  return false;
}

Result<bool> contains(Runtime& runtime, const Value& container, const Value& item) {
  const auto same = [&](const Value& other) {
    return other.same_as(item) || equal(other, item, &runtime.budget);
  };
  switch (container.kind()) {
    case Kind::undefined:
      return false;
    case Kind::text:
      if (!item.is_text()) {
        return core::invalid_argument("'in <string>' requires string as left operand, not {}",
                                      item.type_name());
      }
      runtime.budget.spend_bytes(container.bytes().size());
      return container.bytes().find(item.bytes()) != std::string::npos;
    case Kind::list:
    case Kind::tuple:
      return std::any_of(container.items().begin(), container.items().end(), same);
    case Kind::mapping:
      if (!is_hashable(item)) {
        return core::invalid_argument("unhashable type: '{}'", item.type_name());
      }
      return container.as_mapping().find(item, &runtime.budget) != nullptr;
    case Kind::object:
      break;
    default:
      return core::invalid_argument("argument of type '{}' is not iterable", container.type_name());
  }
  if (const auto* range = container.as<Range>(); range != nullptr && item.is_integral()) {
    return range->contains(item.as_integer());
  }
  if (const auto* view = container.as<MappingView>();
      view != nullptr && view->part() == MappingView::Part::keys) {
    return contains(runtime, view->mapping(), item);
  }
  auto iterator = iterate(runtime, container);
  if (!iterator) {
    return core::invalid_argument("argument of type '{}' is not iterable", container.type_name());
  }
  Value other;
  for (;;) {
    LLM_ASSIGN_OR_RETURN(const bool more, (*iterator)->next(other));
    if (!more) return false;
    if (same(other)) return true;
  }
}

Result<std::vector<Value>> sorted(Runtime& runtime, std::vector<Value> items,
                                  const std::vector<Value>& keys, bool reverse) {
  // A merge sort that stays in bounds whatever the comparison says, and stops at its first error.
  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (reverse)
    std::reverse(order.begin(), order.end());  // equal items keep their order, reversed back
  std::vector<std::size_t> merged(order.size());
  for (std::size_t width = 1; width < order.size(); width *= 2) {
    for (std::size_t begin = 0; begin < order.size(); begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, order.size());
      const std::size_t end = std::min(begin + 2 * width, order.size());
      std::size_t left = begin;
      std::size_t right = middle;
      for (std::size_t out = begin; out < end; ++out) {
        bool take_right = left == middle;
        if (!take_right && right < end) {
          if (!runtime.budget.spend()) return runtime.budget.status();
          LLM_ASSIGN_OR_RETURN(take_right, less(runtime, keys[order[right]], keys[order[left]]));
        }
        merged[out] = take_right ? order[right++] : order[left++];
      }
    }
    order.swap(merged);
  }
  if (reverse) std::reverse(order.begin(), order.end());
  std::vector<Value> result;
  result.reserve(items.size());
  for (const std::size_t index : order) result.push_back(std::move(items[index]));
  return result;
}

}  // namespace llm::chat
