#include "chat/expression_parser.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <utility>

#include "chat/finished.h"

namespace llm::chat {
namespace {

using Operator = ArithmeticExpression::Operator;
using Comparison = CompareExpression::Operator;

constexpr std::pair<std::string_view, Operator> kSums[] = {{"+", Operator::add},
                                                           {"-", Operator::subtract}};
constexpr std::pair<std::string_view, Operator> kProducts[] = {{"*", Operator::multiply},
                                                               {"/", Operator::divide},
                                                               {"//", Operator::floor_divide},
                                                               {"%", Operator::modulo}};
constexpr std::pair<std::string_view, Operator> kPowers[] = {{"**", Operator::power}};
constexpr std::pair<std::string_view, Comparison> kComparisons[] = {
    {"==", Comparison::equal},  {"!=", Comparison::not_equal},
    {"<", Comparison::less},    {"<=", Comparison::less_equal},
    {">", Comparison::greater}, {">=", Comparison::greater_equal}};

}  // namespace

Result<ExpressionPtr> ExpressionParser::parse_expression(bool with_conditional) {
  // Every recursion of the grammar passes here, or through signs and `not`, which check as well.
  if (++nesting_ > kMaxStatementDepth) {
    return error_at(stream_.line(), "expressions are nested too deeply");
  }
  auto parsed = with_conditional ? parse_conditional() : parse_or();
  --nesting_;
  return parsed;
}

Result<ExpressionPtr> ExpressionParser::parse_conditional() {
  const int line = stream_.line();
  LLM_ASSIGN_OR_RETURN(ExpressionPtr value, parse_or());
  while (stream_.skip_name("if")) {
    auto node = std::make_unique<ConditionalExpression>(line);
    node->then = std::move(value);
    LLM_ASSIGN_OR_RETURN(node->condition, parse_or());
    if (stream_.skip_name("else")) {
      LLM_ASSIGN_OR_RETURN(node->otherwise, parse_expression());
    }
    LLM_ASSIGN_OR_RETURN(value, finished(std::move(node)));
  }
  return value;
}

template <class Node>
Result<ExpressionPtr> ExpressionParser::parse_logical(std::string_view word, Expression::Kind kind,
                                                      Parse operand) {
  const int line = stream_.line();
  LLM_ASSIGN_OR_RETURN(ExpressionPtr left, (this->*operand)());
  while (stream_.skip_name(word)) {
    auto node = std::make_unique<Node>(kind, line);
    node->items.push_back(std::move(left));
    LLM_ASSIGN_OR_RETURN(ExpressionPtr right, (this->*operand)());
    node->items.push_back(std::move(right));
    LLM_ASSIGN_OR_RETURN(left, finished(std::move(node)));
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_or() {
  return parse_logical<GroupExpression>("or", Expression::Kind::logical_or,
                                        &ExpressionParser::parse_and);
}

Result<ExpressionPtr> ExpressionParser::parse_and() {
  return parse_logical<GroupExpression>("and", Expression::Kind::logical_and,
                                        &ExpressionParser::parse_not);
}

Result<ExpressionPtr> ExpressionParser::parse_not() {
  std::vector<int> lines;  // of each `not`
  while (stream_.at_name("not")) lines.push_back(stream_.next().line);
  LLM_ASSIGN_OR_RETURN(ExpressionPtr operand, parse_compare());
  for (; !lines.empty(); lines.pop_back()) {
    auto node = std::make_unique<GroupExpression>(Expression::Kind::logical_not, lines.back());
    node->items.push_back(std::move(operand));
    LLM_ASSIGN_OR_RETURN(operand, finished(std::move(node)));
  }
  return operand;
}

Result<ExpressionPtr> ExpressionParser::parse_compare() {
  auto node = std::make_unique<CompareExpression>(stream_.line());
  LLM_ASSIGN_OR_RETURN(node->first, parse_sum());
  for (;;) {
    std::optional<Comparison> found;
    for (const auto& [symbol, comparison] : kComparisons) {
      if (stream_.skip_symbol(symbol)) {
        found = comparison;
        break;
      }
    }
    if (!found && stream_.skip_name("in")) found = Comparison::in;
    if (!found && stream_.at_name("not") && stream_.look().is_name("in")) {
      stream_.next();
      stream_.next();
      found = Comparison::not_in;
    }
    if (!found) break;
    LLM_ASSIGN_OR_RETURN(ExpressionPtr operand, parse_sum());
    node->rest.emplace_back(*found, std::move(operand));
  }
  if (node->rest.empty()) return std::move(node->first);
  return finished(std::move(node));
}

template <std::size_t N>
Result<ExpressionPtr> ExpressionParser::parse_binary(
    const std::pair<std::string_view, Operator> (&operators)[N], Parse operand) {
  const int line = stream_.line();
  LLM_ASSIGN_OR_RETURN(ExpressionPtr left, (this->*operand)());
  for (;;) {
    const auto* const found =
        std::find_if(std::begin(operators), std::end(operators),
                     [&](const auto& entry) { return stream_.at_symbol(entry.first); });
    if (found == std::end(operators)) return left;
    stream_.next();
    auto node = std::make_unique<ArithmeticExpression>(line, found->second);
    node->left = std::move(left);
    LLM_ASSIGN_OR_RETURN(node->right, (this->*operand)());
    LLM_ASSIGN_OR_RETURN(left, finished(std::move(node)));
  }
}

Result<ExpressionPtr> ExpressionParser::parse_sum() {
  return parse_binary(kSums, &ExpressionParser::parse_concatenation);
}

Result<ExpressionPtr> ExpressionParser::parse_concatenation() {
  auto node = std::make_unique<GroupExpression>(Expression::Kind::concatenate, stream_.line());
  do {
    LLM_ASSIGN_OR_RETURN(ExpressionPtr operand, parse_product());
    node->items.push_back(std::move(operand));
  } while (stream_.skip_symbol("~"));
  if (node->items.size() == 1) return std::move(node->items.front());
  return finished(std::move(node));
}

Result<ExpressionPtr> ExpressionParser::parse_product() {
  return parse_binary(kProducts, &ExpressionParser::parse_power);
}

// Unlike Python's, Jinja's ** groups to the left.
Result<ExpressionPtr> ExpressionParser::parse_power() {
  return parse_binary(kPowers, &ExpressionParser::parse_unary_with_filters);
}

Result<ExpressionPtr> ExpressionParser::parse_unary(bool with_filters) {
  const int line = stream_.line();
  ExpressionPtr operand;
  if (stream_.at_symbol("-") || stream_.at_symbol("+")) {
    const bool minus = stream_.next().text == "-";
    if (++nesting_ > kMaxStatementDepth) return error_at(line, "expressions are nested too deeply");
    auto node = std::make_unique<GroupExpression>(
        minus ? Expression::Kind::negate : Expression::Kind::plus, line);
    LLM_ASSIGN_OR_RETURN(ExpressionPtr inner, parse_unary(false));
    --nesting_;
    node->items.push_back(std::move(inner));
    LLM_ASSIGN_OR_RETURN(operand, finished(std::move(node)));
  } else {
    LLM_ASSIGN_OR_RETURN(operand, parse_primary());
  }
  LLM_ASSIGN_OR_RETURN(operand, parse_postfix(std::move(operand)));
  return with_filters ? parse_postfix_filters(std::move(operand)) : std::move(operand);
}

Result<ExpressionPtr> ExpressionParser::parse_primary() {
  const Token& token = stream_.current();
  const int line = token.line;
  switch (token.kind) {
    case Token::Kind::name: {
      const std::string name = stream_.next().text;
      if (name == "true" || name == "True" || name == "false" || name == "False") {
        const bool value = name == "true" || name == "True";
        return constant(line, Value::boolean(value));
      }
      if (name == "none" || name == "None") return constant(line, Value::none());
      return ExpressionPtr(std::make_unique<NameExpression>(line, name));
    }
    case Token::Kind::string: {
      std::string text;
      while (stream_.at(Token::Kind::string)) text += stream_.next().text;
      return constant(line, Value::text(std::move(text)));
    }
    case Token::Kind::integer:
    case Token::Kind::real:
      return parse_number();
    default:
      break;
  }
  if (stream_.at_symbol("(")) {
    stream_.next();
    LLM_ASSIGN_OR_RETURN(ExpressionPtr inner, parse_tuple(true, {}, /*in_brackets=*/true));
    LLM_RETURN_IF_ERROR(stream_.expect_symbol(")"));
    return inner;
  }
  if (stream_.at_symbol("[")) return parse_list();
  if (stream_.at_symbol("{")) return parse_mapping();
  return error_at(line, "expected an expression, found " + stream_.describe());
}

Result<ExpressionPtr> ExpressionParser::parse_number() {
  const Token& token = stream_.next();
  if (token.kind == Token::Kind::real) {
    return constant(token.line, Value::real(std::strtod(token.text.c_str(), nullptr)));
  }
  std::string_view digits = token.text;
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0') {
    const char letter = static_cast<char>(digits[1] | 0x20);
    base = letter == 'b' ? 2 : letter == 'o' ? 8 : letter == 'x' ? 16 : 10;
    if (base != 10) digits.remove_prefix(2);
  }
  std::int64_t value = 0;
  const auto [end, failed] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (failed != std::errc() || end != digits.data() + digits.size()) {
    return error_at(token.line, "an integer of more than 64 bits");
  }
  return constant(token.line, Value::integer(value));
}

bool ExpressionParser::at_tuple_end(std::string_view end_word) const {
  return stream_.at(Token::Kind::variable_end) || stream_.at(Token::Kind::block_end) ||
         stream_.at_symbol(")") || (!end_word.empty() && stream_.at_name(end_word));
}

Result<ExpressionPtr> ExpressionParser::parse_tuple(bool with_conditional,
                                                    std::string_view end_word, bool in_brackets) {
  auto node = std::make_unique<GroupExpression>(Expression::Kind::tuple, stream_.line());
  bool is_tuple = false;
  while (!at_tuple_end(end_word)) {
    LLM_ASSIGN_OR_RETURN(ExpressionPtr item, parse_expression(with_conditional));
    node->items.push_back(std::move(item));
    if (!stream_.skip_symbol(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && node->items.size() == 1) return std::move(node->items.front());
  if (!is_tuple && !in_brackets) {
    return error_at(stream_.line(), "expected an expression, found " + stream_.describe());
  }
  return finished(std::move(node));
}

Result<ExpressionPtr> ExpressionParser::parse_list() {
  auto node = std::make_unique<GroupExpression>(Expression::Kind::list, stream_.next().line);
  while (!stream_.at_symbol("]")) {
    LLM_ASSIGN_OR_RETURN(ExpressionPtr item, parse_expression());
    node->items.push_back(std::move(item));
    if (!stream_.skip_symbol(",")) break;
  }
  LLM_RETURN_IF_ERROR(stream_.expect_symbol("]"));
  return finished(std::move(node));
}

Result<ExpressionPtr> ExpressionParser::parse_mapping() {
  auto node = std::make_unique<MappingExpression>(stream_.next().line);
  while (!stream_.at_symbol("}")) {
    LLM_ASSIGN_OR_RETURN(ExpressionPtr key, parse_expression());
    LLM_RETURN_IF_ERROR(stream_.expect_symbol(":"));
    LLM_ASSIGN_OR_RETURN(ExpressionPtr value, parse_expression());
    node->entries.emplace_back(std::move(key), std::move(value));
    if (!stream_.skip_symbol(",")) break;
  }
  LLM_RETURN_IF_ERROR(stream_.expect_symbol("}"));
  return finished(std::move(node));
}

}  // namespace llm::chat
