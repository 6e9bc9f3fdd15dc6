#include "chat/token_stream.h"

#include <fmt/core.h>

#include "core/quote.h"

namespace llm::chat {
namespace {

std::string_view kind_name(Token::Kind kind) {
  switch (kind) {
    case Token::Kind::data:
      return "text";
    case Token::Kind::variable_begin:
      return "{{";
    case Token::Kind::variable_end:
      return "}}";
    case Token::Kind::block_begin:
      return "{%";
    case Token::Kind::block_end:
      return "%}";
    case Token::Kind::name:
      return "a name";
    case Token::Kind::string:
      return "a string";
    case Token::Kind::integer:
    case Token::Kind::real:
      return "a number";
    case Token::Kind::symbol:
      return "an operator";
    case Token::Kind::end:
      return "the end of the template";
  }
  return "?";
}

}  // namespace

std::string TokenStream::describe() const {
  const Token& token = current();
  if (token.kind == Token::Kind::name || token.kind == Token::Kind::symbol) {
    return core::quote(token.text, 40);
  }
  return std::string(kind_name(token.kind));
}

Status TokenStream::expected(std::string_view what) const {
  return error_at(line(), fmt::format("expected {}, found {}", what, describe()));
}

Status TokenStream::expect(Token::Kind kind) {
  if (!at(kind)) return expected(kind_name(kind));
  next();
  return {};
}

Status TokenStream::expect_symbol(std::string_view symbol) {
  return skip_symbol(symbol) ? Status() : expected(fmt::format("'{}'", symbol));
}

Status TokenStream::expect_name(std::string_view name) {
  return skip_name(name) ? Status() : expected(fmt::format("'{}'", name));
}

Result<std::string> TokenStream::expect_identifier() {
  if (!at(Token::Kind::name)) return expected("a name");
  return next().text;
}

}  // namespace llm::chat
