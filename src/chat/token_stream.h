// The tokens of a template on their way through the parser. Belongs to one parser.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chat/lexer.h"

namespace llm::chat {

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& look() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  /// The current token, left behind (the end of the source never is).
  const Token& next() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }

  int line() const { return current().line; }
  bool at(Token::Kind kind) const { return current().kind == kind; }
  bool at_symbol(std::string_view symbol) const { return current().is_symbol(symbol); }
  bool at_name(std::string_view name) const { return current().is_name(name); }

  bool skip_symbol(std::string_view symbol) {
    const bool found = at_symbol(symbol);
    if (found) next();
    return found;
  }
  bool skip_name(std::string_view name) {
    const bool found = at_name(name);
    if (found) next();
    return found;
  }

  Status expect(Token::Kind kind);
  Status expect_symbol(std::string_view symbol);
  Status expect_name(std::string_view name);
  /// Any name.
  Result<std::string> expect_identifier();

  /// The current token for error messages.
  std::string describe() const;

 private:
  Status expected(std::string_view what) const;

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

}  // namespace llm::chat
