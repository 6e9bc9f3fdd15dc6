#include "chat/template.h"

#include "chat/globals.h"
#include "chat/interpreter.h"
#include "chat/parser.h"
#include "chat/resolver.h"

namespace llm::chat {
namespace {

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return local;
}

}  // namespace

Result<Template> Template::parse(std::string name, std::string_view source) {
  auto program = llm::chat::parse(source);
  if (!program) return program.error().with_prefix(name);
  std::set<std::string> variables;
  if (Status status = resolve(**program, variables); !status.ok()) {
    return status.with_prefix(name);
  }
  return Template(std::move(name), std::move(program).value(), std::move(variables));
}

Result<std::string> Template::render(const Mapping& variables, const RenderOptions& options) const {
  Runtime runtime(options.limits);
  runtime.clock = options.clock ? options.clock : local_time;
  const Mapping globals = make_globals(runtime);
  Interpreter interpreter(runtime, variables, globals);
  Result<std::string> text = interpreter.run(*program_);
  if (!text) return text.error().with_prefix(name_);
  return text;
}

}  // namespace llm::chat
