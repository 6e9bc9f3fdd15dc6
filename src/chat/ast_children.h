// Visits the direct children of an expression, in the order in which Jinja looks at them.
#pragma once

#include "chat/ast.h"

namespace llm::chat {

template <class Visit>
void visit_arguments(ArgumentList& arguments, const Visit& visit) {
  for (ExpressionPtr& argument : arguments.positional) visit(argument);
  for (auto& [name, argument] : arguments.named) visit(argument);
  if (arguments.more_positional) visit(arguments.more_positional);
  if (arguments.more_named) visit(arguments.more_named);
}

/// `visit` takes an ExpressionPtr&, which is never null.
template <class Visit>
void visit_children(Expression& node, const Visit& visit) {
  const auto visit_if = [&](ExpressionPtr& child) {
    if (child) visit(child);
  };
  switch (node.kind) {
    case Expression::Kind::constant:
    case Expression::Kind::name:
      return;
    case Expression::Kind::list:
    case Expression::Kind::tuple:
    case Expression::Kind::negate:
    case Expression::Kind::plus:
    case Expression::Kind::logical_not:
    case Expression::Kind::logical_and:
    case Expression::Kind::logical_or:
    case Expression::Kind::concatenate:
      for (ExpressionPtr& item : static_cast<GroupExpression&>(node).items) visit(item);
      return;
    case Expression::Kind::mapping:
      for (auto& [key, value] : static_cast<MappingExpression&>(node).entries) {
        visit(key);
        visit(value);
      }
      return;
    case Expression::Kind::attribute:
      return visit(static_cast<AttributeExpression&>(node).object);
    case Expression::Kind::subscript: {
      auto& subscript = static_cast<SubscriptExpression&>(node);
      visit(subscript.object);
      return visit(subscript.index);
    }
    case Expression::Kind::slice: {
      auto& slice = static_cast<SliceExpression&>(node);
      visit(slice.object);
      visit_if(slice.start);
      visit_if(slice.stop);
      return visit_if(slice.step);
    }
    case Expression::Kind::call: {
      auto& call = static_cast<CallExpression&>(node);
      visit(call.callee);
      return visit_arguments(call.arguments, visit);
    }
    case Expression::Kind::filter: {
      auto& filter = static_cast<FilterExpression&>(node);
      visit_if(filter.input);
      return visit_arguments(filter.arguments, visit);
    }
    case Expression::Kind::check: {
      auto& check = static_cast<CheckExpression&>(node);
      visit(check.input);
      return visit_arguments(check.arguments, visit);
    }
    case Expression::Kind::arithmetic: {
      auto& arithmetic = static_cast<ArithmeticExpression&>(node);
      visit(arithmetic.left);
      return visit(arithmetic.right);
    }
    case Expression::Kind::compare: {
      auto& compare = static_cast<CompareExpression&>(node);
      visit(compare.first);
      for (auto& [op, operand] : compare.rest) visit(operand);
      return;
    }
    case Expression::Kind::conditional: {
      auto& conditional = static_cast<ConditionalExpression&>(node);
      visit(conditional.condition);
      visit(conditional.then);
      return visit_if(conditional.otherwise);
    }
  }
}

}  // namespace llm::chat
