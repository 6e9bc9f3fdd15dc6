// finished(): a node of an expression, given its depth once all of its children are there.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "chat/ast_children.h"
#include "chat/expression_parser.h"

namespace llm::chat {

template <class Node>
Result<ExpressionPtr> finished(std::unique_ptr<Node> node) {
  int deepest = 0;
  visit_children(*node,
                 [&](const ExpressionPtr& child) { deepest = std::max(deepest, child->depth); });
  node->depth = deepest + 1;
  if (node->depth > kMaxExpressionDepth) {
    return error_at(node->line, "an expression has too many parts inside each other");
  }
  return ExpressionPtr(std::move(node));
}

inline Result<ExpressionPtr> constant(int line, Value value) {
  return ExpressionPtr(std::make_unique<ConstantExpression>(line, std::move(value)));
}

}  // namespace llm::chat
