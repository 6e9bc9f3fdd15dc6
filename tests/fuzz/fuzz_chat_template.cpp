#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "chat/chat_templates.h"
#include "chat/json_text.h"
#include "core/check.h"
#include "core/utf8.h"

namespace {

using llm::chat::Value;

constexpr std::string_view kVariables =
    R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":" H\u00e9llo \ud83d\ude00\n"},)"
    R"({"role":"assistant","content":null,"tool_calls":[{"id":"1","function":{"name":"f","arguments":{"x":[1,2.5,null]}}}]},)"
    R"({"role":"tool","content":"42"}],"tools":[{"function":{"name":"f","parameters":{"a":{"b":[true]}}}}],)"
    R"("documents":null,"add_generation_prompt":true,"s":"some text","n":7,"l":[3,1,2],"d":{"a":1,"b":"x"}})";

void check_error(const llm::Status& error) {
  LLM_CHECK(error.code() == llm::StatusCode::invalid_argument ||
            error.code() == llm::StatusCode::resource_exhausted ||
            error.code() == llm::StatusCode::unsupported);
  LLM_CHECK(error.message().starts_with("fuzz: line "));
  LLM_CHECK(error.message().size() < 3000);
}

}  // namespace

// The source of a template; behind a NUL byte, if there is one, messages for it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Value kGiven = *llm::chat::from_json(kVariables, "variables");
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = std::min(input.find('\0'), input.size());
  const llm::chat::RenderOptions options{
      .limits = {.steps = 100'000, .memory_bytes = 8 << 20, .output_bytes = 1 << 20},
      .clock = [] { return std::tm{}; }};
  const auto parsed = llm::chat::Template::parse("fuzz", input.substr(0, cut));
  if (!parsed) {
    check_error(parsed.error());
    return 0;
  }
  const auto text = parsed->render(kGiven.as_mapping(), options);
  if (text) {
    LLM_CHECK(llm::core::is_valid_utf8(*text));
    LLM_CHECK(text->size() <= options.limits.output_bytes);
  } else {
    check_error(text.error());
  }
  if (cut == input.size()) return 0;
  const llm::chat::ChatTemplates templates(
      {{.name = "default", .place = "fuzz", .text = std::string(input.substr(0, cut))}},
      {{"bos_token", "<s>"}});
  const auto rendered = templates.render({.messages = std::string(input.substr(cut + 1))}, options);
  if (rendered) LLM_CHECK(llm::core::is_valid_utf8(rendered->prompt));
  return 0;
}
