// The expressions of a template.
#include <fmt/core.h>

#include "chat/attributes.h"
#include "chat/checks.h"
#include "chat/filters.h"
#include "chat/interpreter.h"
#include "chat/iterate.h"
#include "chat/operators.h"
#include "chat/python_text.h"
#include "core/error.h"

namespace llm::chat {

Value& Interpreter::slot(Frame& frame, Slot where) const {
  Frame* at = &frame;
  for (int hops = where.hops; hops > 0; --hops) at = at->outer.get();
  return at->slots[static_cast<std::size_t>(where.index)];
}

Status Interpreter::note_line(Status status, int line) {
  if (error_line_ == 0) error_line_ = line;
  return status;
}

Result<Value> Interpreter::evaluate(const Expression& expression, const FramePtr& frame) {
  Budget& budget = runtime_.budget;
  if (!budget.spend() || budget.exhausted()) return note_line(budget.status(), expression.line);
  if (depth_ >= budget.limits().depth) {
    return note_line(core::resource_exhausted("calls are nested too deeply"), expression.line);
  }
  ++depth_;
  auto result = evaluate_node(expression, frame);
  --depth_;
  if (!result) return note_line(result.error(), expression.line);
  return result;
}

Result<bool> Interpreter::evaluate_truth(const Expression& expression, const FramePtr& frame) {
  LLM_ASSIGN_OR_RETURN(const Value value, evaluate(expression, frame));
  return truth(value);
}

Result<Value> Interpreter::evaluate_node(const Expression& expression, const FramePtr& frame) {
  switch (expression.kind) {
    case Expression::Kind::constant:
      return static_cast<const ConstantExpression&>(expression).value;
    case Expression::Kind::name:
      return evaluate_name(static_cast<const NameExpression&>(expression), frame);
    case Expression::Kind::list:
    case Expression::Kind::tuple:
    case Expression::Kind::negate:
    case Expression::Kind::plus:
    case Expression::Kind::logical_not:
    case Expression::Kind::logical_and:
    case Expression::Kind::logical_or:
    case Expression::Kind::concatenate:
      return evaluate_group(static_cast<const GroupExpression&>(expression), frame);
    case Expression::Kind::mapping:
      return evaluate_mapping(static_cast<const MappingExpression&>(expression), frame);
    case Expression::Kind::attribute: {
      const auto& attribute = static_cast<const AttributeExpression&>(expression);
      LLM_ASSIGN_OR_RETURN(const Value object, evaluate(*attribute.object, frame));
      return get_attribute(runtime_, object, attribute.name);
    }
    case Expression::Kind::subscript: {
      const auto& subscript = static_cast<const SubscriptExpression&>(expression);
      LLM_ASSIGN_OR_RETURN(const Value object, evaluate(*subscript.object, frame));
      LLM_ASSIGN_OR_RETURN(const Value index, evaluate(*subscript.index, frame));
      return get_item(runtime_, object, index);
    }
    case Expression::Kind::slice:
      return evaluate_slice(static_cast<const SliceExpression&>(expression), frame);
    case Expression::Kind::call:
      return evaluate_call(static_cast<const CallExpression&>(expression), frame);
    case Expression::Kind::filter:
      return evaluate_filter(static_cast<const FilterExpression&>(expression), frame);
    case Expression::Kind::check:
      return evaluate_check(static_cast<const CheckExpression&>(expression), frame);
    case Expression::Kind::arithmetic: {
      const auto& operation = static_cast<const ArithmeticExpression&>(expression);
      LLM_ASSIGN_OR_RETURN(const Value left, evaluate(*operation.left, frame));
      LLM_ASSIGN_OR_RETURN(const Value right, evaluate(*operation.right, frame));
      return arithmetic(runtime_, operation.op, left, right);
    }
    case Expression::Kind::compare:
      return evaluate_compare(static_cast<const CompareExpression&>(expression), frame);
    case Expression::Kind::conditional:
      return evaluate_conditional(static_cast<const ConditionalExpression&>(expression), frame);
  }
  return core::internal_error("an expression of unknown kind");
}

Result<Value> Interpreter::evaluate_name(const NameExpression& name, const FramePtr& frame) {
  const Value& value = slot(*frame, name.slot);
  if (value.is_missing()) return Value::undefined(fmt::format("'{}' is undefined", name.name));
  return value;
}

Result<Value> Interpreter::evaluate_group(const GroupExpression& group, const FramePtr& frame) {
  switch (group.kind) {
    case Expression::Kind::negate: {
      LLM_ASSIGN_OR_RETURN(const Value operand, evaluate(*group.items[0], frame));
      return negate(operand);
    }
    case Expression::Kind::plus: {
      LLM_ASSIGN_OR_RETURN(const Value operand, evaluate(*group.items[0], frame));
      return plus(operand);
    }
    case Expression::Kind::logical_not: {
      LLM_ASSIGN_OR_RETURN(const bool operand, evaluate_truth(*group.items[0], frame));
      return Value::boolean(!operand);
    }
    case Expression::Kind::logical_and:
    case Expression::Kind::logical_or: {
      LLM_ASSIGN_OR_RETURN(Value left, evaluate(*group.items[0], frame));
      LLM_ASSIGN_OR_RETURN(const bool is_true, truth(left));
      if (is_true == (group.kind == Expression::Kind::logical_or)) return left;
      return evaluate(*group.items[1], frame);
    }
    case Expression::Kind::concatenate: {
      std::string text;
      std::vector<Value> values;
      for (const ExpressionPtr& item : group.items) {
        LLM_ASSIGN_OR_RETURN(Value value, evaluate(*item, frame));
        values.push_back(std::move(value));
      }
      for (const Value& value : values) {
        LLM_ASSIGN_OR_RETURN(const std::string part, to_text(runtime_, value));
        if (!runtime_.budget.admits(text.size() + part.size())) return budget_status();
        text += part;
      }
      return runtime_.text(std::move(text));
    }
    default:
      break;
  }
  std::vector<Value> items;
  items.reserve(group.items.size());
  for (const ExpressionPtr& item : group.items) {
    LLM_ASSIGN_OR_RETURN(Value value, evaluate(*item, frame));
    items.push_back(std::move(value));
  }
  return group.kind == Expression::Kind::list ? runtime_.list(std::move(items))
                                              : runtime_.tuple(std::move(items));
}

Result<Value> Interpreter::evaluate_mapping(const MappingExpression& mapping,
                                            const FramePtr& frame) {
  Mapping entries;
  for (const auto& [key_node, value_node] : mapping.entries) {
    LLM_ASSIGN_OR_RETURN(Value key, evaluate(*key_node, frame));
    LLM_ASSIGN_OR_RETURN(Value value, evaluate(*value_node, frame));
    if (!is_hashable(key)) return core::invalid_argument("unhashable type: '{}'", key.type_name());
    entries.set(std::move(key), std::move(value), &runtime_.budget);
  }
  return runtime_.mapping(std::move(entries));
}

Result<Value> Interpreter::evaluate_slice(const SliceExpression& slice, const FramePtr& frame) {
  LLM_ASSIGN_OR_RETURN(const Value object, evaluate(*slice.object, frame));
  const auto bound = [&](const ExpressionPtr& node) -> Result<Value> {
    if (!node) return Value();
    return evaluate(*node, frame);
  };
  LLM_ASSIGN_OR_RETURN(const Value start, bound(slice.start));
  LLM_ASSIGN_OR_RETURN(const Value stop, bound(slice.stop));
  LLM_ASSIGN_OR_RETURN(const Value step, bound(slice.step));
  return get_slice(runtime_, object, start, stop, step);
}

Status Interpreter::evaluate_arguments(const ArgumentList& list, const FramePtr& frame,
                                       Arguments& arguments, const Value* caller) {
  for (const ExpressionPtr& node : list.positional) {
    LLM_ASSIGN_OR_RETURN(Value value, evaluate(*node, frame));
    arguments.positional.push_back(std::move(value));
  }
  for (const auto& [name, node] : list.named) {
    LLM_ASSIGN_OR_RETURN(Value value, evaluate(*node, frame));
    arguments.named.emplace_back(name, std::move(value));
  }
  if (caller != nullptr) arguments.named.emplace_back("caller", *caller);
  if (list.more_positional) {
    LLM_ASSIGN_OR_RETURN(const Value more, evaluate(*list.more_positional, frame));
    LLM_ASSIGN_OR_RETURN(const std::vector<Value> items, to_items(runtime_, more));
    arguments.positional.insert(arguments.positional.end(), items.begin(), items.end());
  }
  if (!list.more_named) return {};
  LLM_ASSIGN_OR_RETURN(const Value more, evaluate(*list.more_named, frame));
  if (!more.is_mapping()) {
    return core::invalid_argument("argument after ** must be a mapping, not {}", more.type_name());
  }
  Mapping seen;
  for (const auto& [name, value] : arguments.named) seen.set(name, Value::none());
  for (const auto& [key, value] : more.as_mapping().entries()) {
    if (!key.is_text()) return core::invalid_argument("keywords must be strings");
    if (seen.find(key) != nullptr) {
      return core::invalid_argument("got multiple values for keyword argument '{}'", key.bytes());
    }
    arguments.named.emplace_back(key.bytes(), value);
  }
  return {};
}

Result<Value> Interpreter::evaluate_call(const CallExpression& call, const FramePtr& frame,
                                         const Value* caller) {
  LLM_ASSIGN_OR_RETURN(const Value callee, evaluate(*call.callee, frame));
  Arguments arguments;
  LLM_RETURN_IF_ERROR(evaluate_arguments(call.arguments, frame, arguments, caller));
  if (callee.is_undefined()) return undefined_error(callee);
  if (!callee.is(Value::Kind::object)) {
    return core::invalid_argument("'{}' object is not callable", callee.type_name());
  }
  return callee.as_object().call(runtime_, arguments);
}

Result<Value> Interpreter::evaluate_filter(const FilterExpression& filter, const FramePtr& frame,
                                           const Value* captured) {
  Value input;
  if (filter.input) {
    // In a chain of filters on captured text, the innermost one takes the text.
    if (captured != nullptr) {
      LLM_ASSIGN_OR_RETURN(
          input,
          evaluate_filter(static_cast<const FilterExpression&>(*filter.input), frame, captured));
    } else {
      LLM_ASSIGN_OR_RETURN(input, evaluate(*filter.input, frame));
    }
  } else if (captured != nullptr) {
    input = *captured;
  }
  Arguments arguments;
  LLM_RETURN_IF_ERROR(evaluate_arguments(filter.arguments, frame, arguments));
  if (filter.filter == nullptr) return core::invalid_argument("{}", unknown_filter(filter.name));
  return filter.filter->apply(runtime_, input, arguments);
}

Result<Value> Interpreter::evaluate_check(const CheckExpression& check, const FramePtr& frame) {
  LLM_ASSIGN_OR_RETURN(const Value input, evaluate(*check.input, frame));
  Arguments arguments;
  LLM_RETURN_IF_ERROR(evaluate_arguments(check.arguments, frame, arguments));
  if (check.check == nullptr) return core::invalid_argument("{}", unknown_check(check.name));
  LLM_ASSIGN_OR_RETURN(const bool passed, check.check->apply(runtime_, input, arguments));
  return Value::boolean(passed);
}

Result<Value> Interpreter::evaluate_compare(const CompareExpression& comparison,
                                            const FramePtr& frame) {
  LLM_ASSIGN_OR_RETURN(Value left, evaluate(*comparison.first, frame));
  for (const auto& [op, node] : comparison.rest) {
    LLM_ASSIGN_OR_RETURN(Value right, evaluate(*node, frame));
    LLM_ASSIGN_OR_RETURN(const bool holds, compare(runtime_, op, left, right));
    if (!holds) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Result<Value> Interpreter::evaluate_conditional(const ConditionalExpression& choice,
                                                const FramePtr& frame) {
  LLM_ASSIGN_OR_RETURN(const bool holds, evaluate_truth(*choice.condition, frame));
  if (holds) return evaluate(*choice.then, frame);
  if (choice.otherwise) return evaluate(*choice.otherwise, frame);
  return Value::undefined(
      "the inline if-expression evaluated to false and no else section was defined.");
}

}  // namespace llm::chat
