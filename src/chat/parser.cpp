#include "chat/parser.h"

#include <fmt/core.h>

#include <algorithm>
#include <initializer_list>

#include "chat/expression_parser.h"
#include "core/quote.h"

namespace llm::chat {
namespace {

using StatementPtr = std::unique_ptr<Statement>;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : stream_(std::move(tokens)), expressions_(stream_) {}

  Result<std::unique_ptr<Program>> run() {
    auto program = std::make_unique<Program>();
    LLM_RETURN_IF_ERROR(parse_body(program->body, {}, 1));
    return program;
  }

 private:
  using Words = std::initializer_list<std::string_view>;

  // Statements up to a block tag that begins with one of `ends`, which stays the current token.
  // `line`: of the tag that opened the body.
  Status parse_body(Body& body, Words ends, int line) {
    if (++depth_ > kMaxStatementDepth) return error_at(line, "blocks are nested too deeply");
    for (;;) {
      if (stream_.at(Token::Kind::end)) {
        if (ends.size() > 0) {
          return error_at(line, fmt::format("the block is not closed: expected {}", *ends.begin()));
        }
        break;
      }
      if (stream_.at(Token::Kind::data)) {
        const Token& token = stream_.next();
        body.push_back(std::make_unique<TextStatement>(token.line, token.text));
      } else if (stream_.at(Token::Kind::variable_begin)) {
        LLM_RETURN_IF_ERROR(parse_output(body));
      } else {
        LLM_RETURN_IF_ERROR(stream_.expect(Token::Kind::block_begin));
        if (std::any_of(ends.begin(), ends.end(),
                        [&](std::string_view end) { return stream_.at_name(end); })) {
          break;
        }
        LLM_RETURN_IF_ERROR(parse_statement(body));
        LLM_RETURN_IF_ERROR(stream_.expect(Token::Kind::block_end));
      }
    }
    --depth_;
    return {};
  }

  // The rest of an opening tag, the body, and the word that ends it.
  Status parse_block(Body& body, Words ends, int line) {
    stream_.skip_symbol(":");
    LLM_RETURN_IF_ERROR(stream_.expect(Token::Kind::block_end));
    return parse_body(body, ends, line);
  }
  Status parse_whole_block(Body& body, std::string_view end, int line) {
    LLM_RETURN_IF_ERROR(parse_block(body, {end}, line));
    return stream_.expect_name(end);
  }

  Status parse_output(Body& body) {
    auto node = std::make_unique<OutputStatement>(stream_.next().line);
    LLM_ASSIGN_OR_RETURN(ExpressionPtr value, expressions_.parse_tuple());
    node->values.push_back(std::move(value));
    body.push_back(std::move(node));
    return stream_.expect(Token::Kind::variable_end);
  }

  Status parse_statement(Body& body) {
    const int line = stream_.line();
    LLM_ASSIGN_OR_RETURN(const std::string tag, stream_.expect_identifier());
    Result<StatementPtr> node = parse_tag(tag, line);
    if (!node) return node.error();
    body.push_back(std::move(node).value());
    return {};
  }

  Result<StatementPtr> parse_tag(const std::string& tag, int line) {
    if (tag == "if") return parse_if(line);
    if (tag == "for") return parse_for(line);
    if (tag == "set") return parse_set(line);
    if (tag == "macro") return parse_macro(line);
    if (tag == "call") return parse_call_block(line);
    if (tag == "filter") return parse_filter_block(line);
    if (tag == "with") return parse_with(line);
    if (tag == "print") return parse_print(line);
    if (tag == "generation") return parse_generation(line);
    if (tag == "break" || tag == "continue") return parse_jump(tag, line);
    for (const char* known : {"include", "import", "from", "extends", "block", "autoescape"}) {
      if (tag == known) {
        return error_at(line, fmt::format("the tag '{}' is not supported in chat templates", tag));
      }
    }
    return error_at(line, fmt::format("unknown tag {}", core::quote(tag, 40)));
  }

  Result<StatementPtr> parse_if(int line) {
    auto node = std::make_unique<BranchStatement>(line);
    for (;;) {
      BranchStatement::Arm& arm = node->arms.emplace_back();
      LLM_ASSIGN_OR_RETURN(arm.condition, expressions_.parse_tuple(/*with_conditional=*/false));
      LLM_RETURN_IF_ERROR(parse_block(arm.body, {"endif", "elif", "else"}, line));
      if (stream_.skip_name("elif")) continue;
      if (!stream_.skip_name("else")) break;
      Body& otherwise = node->arms.emplace_back().body;
      LLM_RETURN_IF_ERROR(parse_block(otherwise, {"endif"}, line));
      break;
    }
    LLM_RETURN_IF_ERROR(stream_.expect_name("endif"));
    return StatementPtr(std::move(node));
  }

  Result<StatementPtr> parse_for(int line) {
    auto node = std::make_unique<LoopStatement>(line);
    LLM_ASSIGN_OR_RETURN(node->target, parse_target("in"));
    LLM_RETURN_IF_ERROR(stream_.expect_name("in"));
    LLM_ASSIGN_OR_RETURN(node->iterable, expressions_.parse_tuple(false, "recursive"));
    if (stream_.skip_name("if")) {
      LLM_ASSIGN_OR_RETURN(node->condition, expressions_.parse_expression());
    }
    node->recursive = stream_.skip_name("recursive");
    ++loops_;
    LLM_RETURN_IF_ERROR(parse_block(node->body, {"endfor", "else"}, line));
    --loops_;
    // The else part is outside of this loop: break and continue there mean the loop around it.
    if (stream_.skip_name("else")) {
      // A recursive loop is a function of its own: nothing inside can leave the loop around it.
      const int outside = std::exchange(loops_, node->recursive ? 0 : loops_);
      LLM_RETURN_IF_ERROR(parse_block(node->otherwise, {"endfor"}, line));
      loops_ = outside;
    }
    LLM_RETURN_IF_ERROR(stream_.expect_name("endfor"));
    return StatementPtr(std::move(node));
  }

  Result<StatementPtr> parse_set(int line) {
    LLM_ASSIGN_OR_RETURN(Target target, parse_target({}, /*with_attributes=*/true));
    if (stream_.skip_symbol("=")) {
      auto node = std::make_unique<AssignStatement>(line);
      node->target = std::move(target);
      LLM_ASSIGN_OR_RETURN(node->value, expressions_.parse_tuple());
      return StatementPtr(std::move(node));
    }
    auto node = std::make_unique<CaptureStatement>(line);
    node->target = std::move(target);
    LLM_ASSIGN_OR_RETURN(node->filter, expressions_.parse_filters(nullptr));
    LLM_RETURN_IF_ERROR(parse_whole_block(node->body, "endset", line));
    return StatementPtr(std::move(node));
  }

  Result<StatementPtr> parse_macro(int line) {
    auto node = std::make_unique<MacroStatement>(line);
    LLM_ASSIGN_OR_RETURN(node->procedure.name, parse_new_name());
    LLM_RETURN_IF_ERROR(parse_parameters(node->procedure));
    LLM_RETURN_IF_ERROR(parse_procedure_body(node->procedure, "endmacro", line));
    return StatementPtr(std::move(node));
  }

  Result<StatementPtr> parse_call_block(int line) {
    auto node = std::make_unique<CallBlockStatement>(line);
    if (stream_.at_symbol("(")) LLM_RETURN_IF_ERROR(parse_parameters(node->procedure));
    LLM_ASSIGN_OR_RETURN(ExpressionPtr call, expressions_.parse_expression());
    if (call->kind != Expression::Kind::call) return error_at(line, "expected a call of a macro");
    node->call.reset(static_cast<CallExpression*>(call.release()));
    LLM_RETURN_IF_ERROR(parse_procedure_body(node->procedure, "endcall", line));
    return StatementPtr(std::move(node));
  }

  // A function of its own: break and continue do not leave it.
  Status parse_procedure_body(Procedure& procedure, std::string_view end, int line) {
    const int outside = std::exchange(loops_, 0);
    LLM_RETURN_IF_ERROR(parse_whole_block(procedure.body, end, line));
    loops_ = outside;
    return {};
  }

  Result<StatementPtr> parse_generation(int line) {
    auto node = std::make_unique<GenerationStatement>(line);
    const int outside = std::exchange(loops_, 0);
    LLM_RETURN_IF_ERROR(parse_whole_block(node->body, "endgeneration", line));
    loops_ = outside;
    return StatementPtr(std::move(node));
  }

  Result<StatementPtr> parse_filter_block(int line) {
    auto node = std::make_unique<FilterBlockStatement>(line);
    LLM_ASSIGN_OR_RETURN(node->filter, expressions_.parse_filters(nullptr, true));
    LLM_RETURN_IF_ERROR(parse_whole_block(node->body, "endfilter", line));
    return StatementPtr(std::move(node));
  }

  Result<StatementPtr> parse_with(int line) {
    auto node = std::make_unique<WithStatement>(line);
    while (!stream_.at(Token::Kind::block_end)) {
      if (!node->targets.empty()) LLM_RETURN_IF_ERROR(stream_.expect_symbol(","));
      LLM_ASSIGN_OR_RETURN(Target target, parse_target({}));
      LLM_RETURN_IF_ERROR(stream_.expect_symbol("="));
      LLM_ASSIGN_OR_RETURN(ExpressionPtr value, expressions_.parse_expression());
      node->targets.push_back(std::move(target));
      node->values.push_back(std::move(value));
    }
    LLM_RETURN_IF_ERROR(parse_whole_block(node->body, "endwith", line));
    return StatementPtr(std::move(node));
  }

  Result<StatementPtr> parse_print(int line) {
    auto node = std::make_unique<OutputStatement>(line);
    while (!stream_.at(Token::Kind::block_end)) {
      if (!node->values.empty()) LLM_RETURN_IF_ERROR(stream_.expect_symbol(","));
      LLM_ASSIGN_OR_RETURN(ExpressionPtr value, expressions_.parse_expression());
      node->values.push_back(std::move(value));
    }
    return StatementPtr(std::move(node));
  }

  Result<StatementPtr> parse_jump(const std::string& tag, int line) {
    if (loops_ == 0) return error_at(line, fmt::format("'{}' outside of a loop", tag));
    return StatementPtr(std::make_unique<JumpStatement>(
        tag == "break" ? Statement::Kind::break_loop : Statement::Kind::continue_loop, line));
  }

  // A name that may be assigned to.
  Result<std::string> parse_new_name() {
    const int line = stream_.line();
    LLM_ASSIGN_OR_RETURN(std::string name, stream_.expect_identifier());
    for (const char* fixed : {"true", "false", "none", "True", "False", "None"}) {
      if (name == fixed) return error_at(line, fmt::format("cannot assign to '{}'", name));
    }
    return name;
  }

  Status parse_parameters(Procedure& procedure) {
    LLM_RETURN_IF_ERROR(stream_.expect_symbol("("));
    while (!stream_.at_symbol(")")) {
      if (!procedure.parameters.empty()) LLM_RETURN_IF_ERROR(stream_.expect_symbol(","));
      const int line = stream_.line();
      LLM_ASSIGN_OR_RETURN(std::string name, parse_new_name());
      if (std::find(procedure.parameters.begin(), procedure.parameters.end(), name) !=
          procedure.parameters.end()) {
        return error_at(line, fmt::format("two parameters have the name '{}'", name));
      }
      if (stream_.skip_symbol("=")) {
        LLM_ASSIGN_OR_RETURN(ExpressionPtr value, expressions_.parse_expression());
        procedure.defaults.push_back(std::move(value));
      } else if (!procedure.defaults.empty()) {
        return error_at(line, "a parameter without a default follows one with a default");
      }
      procedure.parameters.push_back(std::move(name));
    }
    return stream_.expect_symbol(")");
  }

  Result<Target> parse_target(std::string_view end_word, bool with_attributes = false) {
    if (++depth_ > kMaxStatementDepth) {
      return error_at(stream_.line(), "tuples are nested too deeply");
    }
    Target tuple{.kind = Target::Kind::tuple, .line = stream_.line()};
    bool is_tuple = false;
    while (!expressions_.at_tuple_end(end_word)) {
      LLM_ASSIGN_OR_RETURN(Target item, parse_single_target(with_attributes));
      tuple.items.push_back(std::move(item));
      if (!stream_.skip_symbol(",")) break;
      is_tuple = true;
    }
    --depth_;
    if (is_tuple) return tuple;
    if (tuple.items.size() == 1) return std::move(tuple.items.front());
    return error_at(stream_.line(),
                    fmt::format("expected a name to assign to, found {}", stream_.describe()));
  }

  Result<Target> parse_single_target(bool with_attributes) {
    const int line = stream_.line();
    if (stream_.skip_symbol("(")) {
      LLM_ASSIGN_OR_RETURN(Target target, parse_target({}));
      LLM_RETURN_IF_ERROR(stream_.expect_symbol(")"));
      return target;
    }
    Target target{.kind = Target::Kind::name, .line = line};
    LLM_ASSIGN_OR_RETURN(target.name, parse_new_name());
    if (with_attributes && stream_.skip_symbol(".")) {
      target.kind = Target::Kind::attribute;
      LLM_ASSIGN_OR_RETURN(target.attribute, stream_.expect_identifier());
    }
    return target;
  }

  TokenStream stream_;
  ExpressionParser expressions_;
  int depth_ = 0;
  int loops_ = 0;  // around the current place that break and continue can leave
};

}  // namespace

Result<std::unique_ptr<Program>> parse(std::string_view source) {
  LLM_ASSIGN_OR_RETURN(std::vector<Token> tokens, tokenize(source));
  return Parser(std::move(tokens)).run();
}

}  // namespace llm::chat
