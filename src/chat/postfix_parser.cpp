// What follows an operand: attributes, subscripts, calls, filters and tests.
#include "chat/expression_parser.h"
#include "chat/finished.h"

namespace llm::chat {

Result<ExpressionPtr> ExpressionParser::parse_postfix(ExpressionPtr operand) {
  for (;;) {
    if (stream_.at_symbol(".")) {
      LLM_ASSIGN_OR_RETURN(operand, parse_attribute(std::move(operand)));
    } else if (stream_.at_symbol("[")) {
      LLM_ASSIGN_OR_RETURN(operand, parse_subscript(std::move(operand)));
    } else if (stream_.at_symbol("(")) {
      LLM_ASSIGN_OR_RETURN(operand, parse_call(std::move(operand)));
    } else {
      return operand;
    }
  }
}

Result<ExpressionPtr> ExpressionParser::parse_postfix_filters(ExpressionPtr operand) {
  for (;;) {
    if (stream_.at_symbol("|")) {
      LLM_ASSIGN_OR_RETURN(operand, parse_filters(std::move(operand)));
    } else if (stream_.at_name("is")) {
      LLM_ASSIGN_OR_RETURN(operand, parse_check(std::move(operand)));
    } else if (stream_.at_symbol("(")) {
      LLM_ASSIGN_OR_RETURN(operand, parse_call(std::move(operand)));
    } else {
      return operand;
    }
  }
}

Result<ExpressionPtr> ExpressionParser::parse_attribute(ExpressionPtr object) {
  const int line = stream_.next().line;
  if (stream_.at(Token::Kind::name)) {
    auto node = std::make_unique<AttributeExpression>(line);
    node->object = std::move(object);
    node->name = stream_.next().text;
    return finished(std::move(node));
  }
  if (!stream_.at(Token::Kind::integer)) {
    return error_at(stream_.line(), "expected a name or a number, found " + stream_.describe());
  }
  auto node = std::make_unique<SubscriptExpression>(line);
  node->object = std::move(object);
  LLM_ASSIGN_OR_RETURN(node->index, parse_number());
  return finished(std::move(node));
}

Result<ExpressionPtr> ExpressionParser::parse_subscript(ExpressionPtr object) {
  const int line = stream_.next().line;
  auto tuple = std::make_unique<GroupExpression>(Expression::Kind::tuple, line);
  while (!stream_.at_symbol("]")) {
    ExpressionPtr start;
    if (!stream_.at_symbol(":")) {
      LLM_ASSIGN_OR_RETURN(start, parse_expression());
    }
    if (stream_.at_symbol(":")) {
      if (!tuple->items.empty()) return error_at(line, "slices of several dimensions");
      return parse_slice(std::move(object), std::move(start), line);
    }
    tuple->items.push_back(std::move(start));
    if (!stream_.skip_symbol(",")) break;
    if (stream_.at_symbol("]")) {
      return error_at(stream_.line(), "expected an expression, found \"]\"");
    }
  }
  LLM_RETURN_IF_ERROR(stream_.expect_symbol("]"));
  auto node = std::make_unique<SubscriptExpression>(line);
  node->object = std::move(object);
  if (tuple->items.size() == 1) {
    node->index = std::move(tuple->items.front());
  } else {
    LLM_ASSIGN_OR_RETURN(node->index, finished(std::move(tuple)));
  }
  return finished(std::move(node));
}

Result<ExpressionPtr> ExpressionParser::parse_slice(ExpressionPtr object, ExpressionPtr start,
                                                    int line) {
  auto node = std::make_unique<SliceExpression>(line);
  node->object = std::move(object);
  node->start = std::move(start);
  LLM_RETURN_IF_ERROR(stream_.expect_symbol(":"));
  if (!stream_.at_symbol(":") && !stream_.at_symbol("]")) {
    LLM_ASSIGN_OR_RETURN(node->stop, parse_expression());
  }
  if (stream_.skip_symbol(":") && !stream_.at_symbol("]")) {
    LLM_ASSIGN_OR_RETURN(node->step, parse_expression());
  }
  LLM_RETURN_IF_ERROR(stream_.expect_symbol("]"));
  return finished(std::move(node));
}

Status ExpressionParser::parse_argument(ArgumentList& arguments, int line) {
  const auto wrong_order = [&] {
    return error_at(line, "arguments must come in the order: values, name=value, *list, **dict");
  };
  if (stream_.skip_symbol("*")) {
    if (arguments.more_positional || arguments.more_named) return wrong_order();
    LLM_ASSIGN_OR_RETURN(arguments.more_positional, parse_expression());
    return {};
  }
  if (stream_.skip_symbol("**")) {
    if (arguments.more_named) return wrong_order();
    LLM_ASSIGN_OR_RETURN(arguments.more_named, parse_expression());
    return {};
  }
  if (stream_.at(Token::Kind::name) && stream_.look().is_symbol("=")) {
    if (arguments.more_named) return wrong_order();
    const std::string name = stream_.next().text;
    stream_.next();
    for (const auto& [other, value] : arguments.named) {
      if (other == name) return error_at(line, "the argument '" + name + "' is given twice");
    }
    LLM_ASSIGN_OR_RETURN(ExpressionPtr value, parse_expression());
    arguments.named.emplace_back(name, std::move(value));
    return {};
  }
  if (arguments.more_positional || arguments.more_named || !arguments.named.empty()) {
    return wrong_order();
  }
  LLM_ASSIGN_OR_RETURN(ExpressionPtr value, parse_expression());
  arguments.positional.push_back(std::move(value));
  return {};
}

Status ExpressionParser::parse_arguments(ArgumentList& arguments) {
  const int line = stream_.line();
  LLM_RETURN_IF_ERROR(stream_.expect_symbol("("));
  while (!stream_.at_symbol(")")) {
    LLM_RETURN_IF_ERROR(parse_argument(arguments, line));
    if (!stream_.skip_symbol(",")) break;
  }
  return stream_.expect_symbol(")");
}

Result<ExpressionPtr> ExpressionParser::parse_call(ExpressionPtr callee) {
  auto node = std::make_unique<CallExpression>(stream_.line());
  node->callee = std::move(callee);
  LLM_RETURN_IF_ERROR(parse_arguments(node->arguments));
  return finished(std::move(node));
}

Result<std::string> ExpressionParser::parse_dotted_name() {
  LLM_ASSIGN_OR_RETURN(std::string name, stream_.expect_identifier());
  while (stream_.skip_symbol(".")) {
    LLM_ASSIGN_OR_RETURN(const std::string part, stream_.expect_identifier());
    name += "." + part;
  }
  return name;
}

Result<ExpressionPtr> ExpressionParser::parse_filters(ExpressionPtr input, bool first_is_name) {
  while (first_is_name || stream_.skip_symbol("|")) {
    first_is_name = false;
    auto node = std::make_unique<FilterExpression>(stream_.line());
    node->input = std::move(input);
    LLM_ASSIGN_OR_RETURN(node->name, parse_dotted_name());
    if (stream_.at_symbol("(")) LLM_RETURN_IF_ERROR(parse_arguments(node->arguments));
    LLM_ASSIGN_OR_RETURN(input, finished(std::move(node)));
  }
  return input;
}

Result<ExpressionPtr> ExpressionParser::parse_check(ExpressionPtr input) {
  const int line = stream_.next().line;
  const bool negated = stream_.skip_name("not");
  auto node = std::make_unique<CheckExpression>(line);
  node->input = std::move(input);
  LLM_ASSIGN_OR_RETURN(node->name, parse_dotted_name());
  const bool is_value = stream_.at(Token::Kind::name) || stream_.at(Token::Kind::string) ||
                        stream_.at(Token::Kind::integer) || stream_.at(Token::Kind::real) ||
                        stream_.at_symbol("[") || stream_.at_symbol("{");
  if (stream_.at_symbol("(")) {
    LLM_RETURN_IF_ERROR(parse_arguments(node->arguments));
  } else if (is_value && !stream_.at_name("else") && !stream_.at_name("or") &&
             !stream_.at_name("and")) {
    if (stream_.at_name("is")) return error_at(line, "tests with `is` cannot be chained");
    LLM_ASSIGN_OR_RETURN(ExpressionPtr argument, parse_primary());
    LLM_ASSIGN_OR_RETURN(argument, parse_postfix(std::move(argument)));
    node->arguments.positional.push_back(std::move(argument));
  }
  LLM_ASSIGN_OR_RETURN(ExpressionPtr result, finished(std::move(node)));
  if (!negated) return result;
  auto negation = std::make_unique<GroupExpression>(Expression::Kind::logical_not, line);
  negation->items.push_back(std::move(result));
  return finished(std::move(negation));
}

}  // namespace llm::chat
