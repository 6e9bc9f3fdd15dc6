#include "chat/checks.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "chat/arguments.h"
#include "chat/filters.h"
#include "chat/iterate.h"
#include "chat/operators.h"
#include "chat/python_text.h"
#include "chat/unicode.h"
#include "core/error.h"
#include "core/quote.h"

namespace llm::chat {
namespace {

using Kind = Value::Kind;
using Comparison = CompareExpression::Operator;

template <bool (*kTest)(const Value&)>
Result<bool> simple(Runtime&, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("test", arguments, {}, 0).status());
  return kTest(input);
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return value.is(Kind::boolean); }
bool is_true(const Value& value) { return value.is(Kind::boolean) && value.as_boolean(); }
bool is_false(const Value& value) { return value.is(Kind::boolean) && !value.as_boolean(); }
bool is_integer(const Value& value) { return value.is(Kind::integer); }
bool is_float(const Value& value) { return value.is(Kind::real); }
bool is_number(const Value& value) { return value.is_number(); }
bool is_string(const Value& value) { return value.is_text(); }
bool is_mapping(const Value& value) { return value.is_mapping(); }
bool is_escaped(const Value& value) { return value.is_text() && value.as_text().is_markup; }
bool is_callable(const Value& value) {
  // Python finds __call__ on the class of undefined values.
  return value.is_undefined() || (value.is(Kind::object) && value.as_object().callable());
}
bool is_sequence(const Value& value) {
  return value.is_undefined() || value.is_text() || value.is_sequence() || value.is_mapping() ||
         value.as<Range>() != nullptr;
}

Result<bool> iterable(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("iterable", arguments, {}, 0).status());
  return is_iterable(runtime, input);
}

template <Comparison kOperator>
Result<bool> compared(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("test", arguments, {"other"}, 1, false));
  return compare(runtime, kOperator, input, given[0]);
}

Result<bool> remainder_is(Runtime& runtime, const Value& input, const Value& divisor,
                          std::int64_t wanted) {
  LLM_ASSIGN_OR_RETURN(const Value rest,
                       arithmetic(runtime, ArithmeticExpression::Operator::modulo, input, divisor));
  return equal(rest, Value::integer(wanted), &runtime.budget);
}

Result<bool> odd(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("odd", arguments, {}, 0).status());
  return remainder_is(runtime, input, Value::integer(2), 1);
}
Result<bool> even(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("even", arguments, {}, 0).status());
  return remainder_is(runtime, input, Value::integer(2), 0);
}
Result<bool> divisible_by(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("divisibleby", arguments, {"num"}, 1));
  return remainder_is(runtime, input, given[0], 0);
}

// str.islower, str.isupper of the value as text.
Result<bool> cased(Runtime& runtime, const Value& input, const Arguments& arguments,
                   bool (*wanted)(char32_t), bool (*other)(char32_t)) {
  LLM_RETURN_IF_ERROR(bind("test", arguments, {}, 0).status());
  LLM_ASSIGN_OR_RETURN(const std::string text, to_text(runtime, input));
  bool found = false;
  for (const char32_t c : code_points(text)) {
    if (other(c) || is_titlecase(c)) return false;
    found = found || wanted(c);
  }
  return found;
}

Result<bool> lower(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return cased(runtime, input, arguments, is_lowercase, is_uppercase);
}
Result<bool> upper(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return cased(runtime, input, arguments, is_uppercase, is_lowercase);
}

Result<bool> same_as(Runtime&, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("sameas", arguments, {"other"}, 1));
  return input.same_as(given[0]);
}

Result<bool> is_in(Runtime& runtime, const Value& input, const Arguments& arguments) {
  LLM_ASSIGN_OR_RETURN(const auto given, bind("in", arguments, {"seq"}, 1));
  return contains(runtime, given[0], input);
}

Result<bool> known_name(const Value& input, bool known) {
  if (!is_hashable(input)) {
    return core::invalid_argument("unhashable type: '{}'", input.type_name());
  }
  return known;
}

Result<bool> names_filter(Runtime&, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("filter", arguments, {}, 0).status());
  return known_name(input, input.is_text() && find_filter(input.bytes()) != nullptr);
}
Result<bool> names_check(Runtime&, const Value& input, const Arguments& arguments) {
  LLM_RETURN_IF_ERROR(bind("test", arguments, {}, 0).status());
  return known_name(input, input.is_text() && find_check(input.bytes()) != nullptr);
}

constexpr std::array kChecks = {
    Check{"!=", compared<Comparison::not_equal>},
    Check{"<", compared<Comparison::less>},
    Check{"<=", compared<Comparison::less_equal>},
    Check{"==", compared<Comparison::equal>},
    Check{">", compared<Comparison::greater>},
    Check{">=", compared<Comparison::greater_equal>},
    Check{"boolean", simple<is_boolean>},
    Check{"callable", simple<is_callable>},
    Check{"defined", simple<is_defined>},
    Check{"divisibleby", divisible_by},
    Check{"eq", compared<Comparison::equal>},
    Check{"equalto", compared<Comparison::equal>},
    Check{"escaped", simple<is_escaped>},
    Check{"even", even},
    Check{"false", simple<is_false>},
    Check{"filter", names_filter},
    Check{"float", simple<is_float>},
    Check{"ge", compared<Comparison::greater_equal>},
    Check{"greaterthan", compared<Comparison::greater>},
    Check{"gt", compared<Comparison::greater>},
    Check{"in", is_in},
    Check{"integer", simple<is_integer>},
    Check{"iterable", iterable},
    Check{"le", compared<Comparison::less_equal>},
    Check{"lessthan", compared<Comparison::less>},
    Check{"lower", lower},
    Check{"lt", compared<Comparison::less>},
    Check{"mapping", simple<is_mapping>},
    Check{"ne", compared<Comparison::not_equal>},
    Check{"none", simple<is_none>},
    Check{"number", simple<is_number>},
    Check{"odd", odd},
    Check{"sameas", same_as},
    Check{"sequence", simple<is_sequence>},
    Check{"string", simple<is_string>},
    Check{"test", names_check},
    Check{"true", simple<is_true>},
    Check{"undefined", simple<is_undefined>},
    Check{"upper", upper},
};

}  // namespace

const Check* find_check(std::string_view name) {
  const auto found = std::find_if(kChecks.begin(), kChecks.end(),
                                  [&](const Check& check) { return check.name == name; });
  return found == kChecks.end() ? nullptr : &*found;
}

std::string unknown_check(std::string_view name) {
  return fmt::format("there is no test {}", core::quote(name, 40));
}

}  // namespace llm::chat
