// Renders templates for tools/fixtures/compare_templates.py: reads one JSON object per line of
// standard input, {"template", "variables"}, and answers each with a line {"text"} or {"error"}.
// The clock stands still.
#include <fmt/core.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "chat/fixed_time.h"
#include "chat/json_text.h"
#include "chat/template.h"
#include "core/json.h"

namespace llm::chat {
namespace {

Result<std::string> render(std::string_view line) {
  LLM_ASSIGN_OR_RETURN(const Value request, from_json(line, "case", {.max_depth = 1000}));
  const Value* source = request.as_mapping().find("template");
  const Value* variables = request.as_mapping().find("variables");
  LLM_ASSIGN_OR_RETURN(const Template parsed, Template::parse("case", source->bytes()));
  return parsed.render(variables->as_mapping(), {.limits = {}, .clock = fixed_time});
}

int run() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const Result<std::string> text = render(line);
    const core::Json answer =
        text ? core::Json{{"text", *text}} : core::Json{{"error", text.error().message()}};
    fmt::print("{}\n", answer.dump(-1, ' ', false, core::Json::error_handler_t::replace));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace llm::chat

int main() { return llm::chat::run(); }
