// Parses the expressions of a template, with the precedence of Jinja's operators: conditional, or,
// and, not, comparisons, + and -, ~, * / // %, **, signs, then subscripts, calls, filters and
// tests.
#pragma once

#include <string_view>
#include <vector>

#include "chat/ast.h"
#include "chat/token_stream.h"
#include "llm/status.h"

namespace llm::chat {

/// Nodes inside each other: of expressions (chains of operators count), and of statements.
constexpr int kMaxExpressionDepth = 400;
constexpr int kMaxStatementDepth = 100;

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& stream) : stream_(stream) {}

  Result<ExpressionPtr> parse_expression(bool with_conditional = true);
  /// An expression, or a tuple of several without brackets. `end_word`: a name that ends it.
  Result<ExpressionPtr> parse_tuple(bool with_conditional = true, std::string_view end_word = {},
                                    bool in_brackets = false);
  /// `| name(arguments) | name ...` behind `input`; with `first_is_name`, the first `|` is absent.
  Result<ExpressionPtr> parse_filters(ExpressionPtr input, bool first_is_name = false);
  /// Whether a tuple without brackets ends here.
  bool at_tuple_end(std::string_view end_word) const;

 private:
  using Parse = Result<ExpressionPtr> (ExpressionParser::*)();

  Result<ExpressionPtr> parse_conditional();
  Result<ExpressionPtr> parse_or();
  Result<ExpressionPtr> parse_and();
  Result<ExpressionPtr> parse_not();
  Result<ExpressionPtr> parse_compare();
  Result<ExpressionPtr> parse_sum();
  Result<ExpressionPtr> parse_concatenation();
  Result<ExpressionPtr> parse_product();
  Result<ExpressionPtr> parse_power();
  Result<ExpressionPtr> parse_unary(bool with_filters);
  Result<ExpressionPtr> parse_unary_with_filters() { return parse_unary(true); }
  Result<ExpressionPtr> parse_primary();
  Result<ExpressionPtr> parse_number();
  Result<ExpressionPtr> parse_list();
  Result<ExpressionPtr> parse_mapping();
  Result<ExpressionPtr> parse_postfix(ExpressionPtr operand);
  Result<ExpressionPtr> parse_postfix_filters(ExpressionPtr operand);
  Result<ExpressionPtr> parse_attribute(ExpressionPtr object);
  Result<ExpressionPtr> parse_subscript(ExpressionPtr object);
  Result<ExpressionPtr> parse_slice(ExpressionPtr object, ExpressionPtr start, int line);
  Result<ExpressionPtr> parse_call(ExpressionPtr callee);
  Result<ExpressionPtr> parse_check(ExpressionPtr input);
  Status parse_arguments(ArgumentList& arguments);
  Status parse_argument(ArgumentList& arguments, int line);
  Result<std::string> parse_dotted_name();

  template <class Node>
  Result<ExpressionPtr> parse_logical(std::string_view word, Expression::Kind kind, Parse operand);
  template <std::size_t N>
  Result<ExpressionPtr> parse_binary(
      const std::pair<std::string_view, ArithmeticExpression::Operator> (&operators)[N],
      Parse operand);

  TokenStream& stream_;
  int nesting_ = 0;
};

}  // namespace llm::chat
