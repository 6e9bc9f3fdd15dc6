// Template: a parsed Jinja template, in the dialect and with the settings of Hugging Face's chat
// templates. Immutable: it may be rendered from any thread.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "chat/ast.h"
#include "chat/budget.h"
#include "chat/value.h"
#include "llm/status.h"

namespace llm::chat {

struct RenderOptions {
  RenderLimits limits;
  std::function<std::tm()> clock;  ///< local time for strftime_now; empty: the system's
};

class Template {
 public:
  /// Errors (invalid_argument) begin with "<name>: line N: ".
  static Result<Template> parse(std::string name, std::string_view source);

  /// The whole text or an error that begins with "<name>: line N: ": invalid_argument for what the
  /// template itself or Python's rules object to, resource_exhausted when a limit was passed.
  Result<std::string> render(const Mapping& variables, const RenderOptions& options = {}) const;

  /// Whether it reads a variable of that name from what it is given.
  bool reads(const std::string& variable) const { return variables_.contains(variable); }

 private:
  Template(std::string name, std::unique_ptr<Program> program, std::set<std::string> variables)
      : name_(std::move(name)), program_(std::move(program)), variables_(std::move(variables)) {}

  std::string name_;
  std::unique_ptr<Program> program_;
  std::set<std::string> variables_;
};

}  // namespace llm::chat
