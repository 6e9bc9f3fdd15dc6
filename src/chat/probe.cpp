#include "chat/probe.h"

#include <fmt/core.h>

#include <array>

#include "chat/json_text.h"

namespace llm::chat {
namespace {

constexpr std::string_view kNeedle = "q7Zneedle";  // what no template writes by itself

std::string content(std::string_view text, bool as_parts) {
  return as_parts ? fmt::format(R"([{{"type":"text","text":"{}"}}])", text)
                  : fmt::format("\"{}\"", text);
}

std::string message(std::string_view role, const std::string& content) {
  return fmt::format(R"({{"role":"{}","content":{}}})", role, content);
}

class Prober {
 public:
  Prober(const Template& tested, const Mapping& variables)
      : template_(tested), variables_(variables) {
    // Little is asked of it, and a template that loops for ever is found out soon.
    options_.limits.steps = 3'000'000;
  }

  Probe run() {
    Probe probe;
    probe.style.text_content = try_contents(false, probe.outcome);
    Status ignored;
    probe.style.part_content = try_contents(true, ignored);
    if (!probe.style.text_content && probe.style.part_content) probe.outcome = Status();
    // Nothing worked: the template will say why when it is used.
    if (!probe.style.part_content) probe.style.text_content = true;
    find_call_style(probe.style);
    return probe;
  }

 private:
  Result<std::string> render(const std::string& messages, bool with_tools) {
    Mapping variables;
    for (const auto& [key, value] : variables_.entries()) variables.set(key, value);
    constexpr std::string_view kTools =
        R"([{"type":"function","function":{"name":"f","description":"d","parameters":)"
        R"({"type":"object","properties":{"a":{"type":"string","description":"d"}},)"
        R"("required":["a"]}}}])";
    LLM_ASSIGN_OR_RETURN(Value parsed, from_json(messages, "probe"));
    Value tools = Value::none();
    if (with_tools) {
      LLM_ASSIGN_OR_RETURN(tools, from_json(kTools, "probe"));
    }
    variables.set("messages", std::move(parsed));
    variables.set("tools", std::move(tools));
    variables.set("documents", Value::none());
    variables.set("add_generation_prompt", Value::boolean(false));
    return template_.render(variables, options_);
  }

  // Whether the text of a user's content of this form comes out, and its form does not.
  bool try_contents(bool as_parts, Status& outcome) {
    const std::string user = message("user", content(kNeedle, as_parts));
    const std::string other = content("x", as_parts);
    const std::array conversations = {
        fmt::format("[{}]", user),
        fmt::format("[{},{}]", message("system", other), user),
        fmt::format("[{},{},{}]", user, message("assistant", other), message("user", other)),
    };
    bool rendered = false;
    for (const std::string& conversation : conversations) {
      const auto text = render(conversation, false);
      if (text) rendered = true;
      if (!text && outcome.ok()) outcome = text.error();
      if (text && text->find(kNeedle) != std::string::npos &&
          text->find("'text'") == std::string::npos &&
          text->find("\"text\"") == std::string::npos) {
        outcome = Status();
        return true;
      }
    }
    if (rendered) outcome = Status();
    return false;
  }

  // A tool call whose arguments come out.
  bool try_call(const MessageStyle& style, bool null_content, bool text_arguments) {
    const std::string arguments = fmt::format(R"({{"a":"{}"}})", kNeedle);
    const std::string quoted = fmt::format(R"("{{\"a\":\"{}\"}}")", kNeedle);
    const bool as_parts = !style.text_content;
    const std::string messages = fmt::format(
        R"([{},{{"role":"assistant","content":{},"tool_calls":[{{"id":"call00001",)"
        R"("type":"function","function":{{"name":"f","arguments":{}}}}}]}},)"
        R"({{"role":"tool","name":"f","tool_call_id":"call00001","content":{}}}])",
        message("user", content("x", as_parts)), null_content ? "null" : content("", as_parts),
        text_arguments ? quoted : arguments, content("y", as_parts));
    const auto text = render(messages, true);
    return text && text->find(kNeedle) != std::string::npos &&
           (!null_content || text->find("None") == std::string::npos);
  }

  void find_call_style(MessageStyle& style) {
    for (const bool text_arguments : {false, true}) {
      for (const bool null_content : {true, false}) {
        if (!try_call(style, null_content, text_arguments)) continue;
        style.null_content = null_content;
        style.text_arguments = text_arguments;
        return;
      }
    }
  }

  const Template& template_;
  const Mapping& variables_;
  RenderOptions options_;
};

}  // namespace

Probe probe_template(const Template& tested, const Mapping& variables) {
  return Prober(tested, variables).run();
}

}  // namespace llm::chat
