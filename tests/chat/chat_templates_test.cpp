// The templates of a model: which is used, what it is tried for, what it is given.
#include "chat/chat_templates.h"

#include <fstream>
#include <sstream>

#include "chat/support.h"

namespace llm::chat {
namespace {

const SpecialTokens kTokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};

constexpr const char* kPlain =
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}";

std::string family(const std::string& name) {
  std::ifstream file(LLM_SOURCE_DIR "/tests/fixtures/chat/templates/" + name + ".jinja");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

ChatTemplates one(const std::string& text) {
  return ChatTemplates({{.name = "default", .place = "chat.jinja", .text = text}}, kTokens);
}

std::string prompt_of(const ChatTemplates& templates, const ChatRequest& request) {
  const auto rendered = templates.render(request, {.limits = {}, .clock = fixed_time});
  EXPECT_TRUE(rendered.has_value()) << rendered.error().message();
  return rendered ? rendered->prompt : "";
}

Status refusal(const ChatTemplates& templates, const ChatRequest& request) {
  return templates.render(request, {.limits = {}, .clock = fixed_time}).status();
}

const std::string kHello = chat_messages_json({{"user", "Hello"}});
constexpr const char* kTools =
    R"([{"type":"function","function":{"name":"zeta","parameters":{"z":1,"a":2}}}])";

TEST(ChatTemplates, RenderWithTheSpecialTokens) {
  EXPECT_EQ(prompt_of(one(kPlain), {.messages = kHello}), "<s>[user]Hello[assistant]");
  EXPECT_EQ(prompt_of(one(kPlain), {.messages = kHello, .add_generation_prompt = false}),
            "<s>[user]Hello");
}

TEST(ChatTemplates, NoneIsNotFound) {
  EXPECT_EQ(ChatTemplates().status().code(), StatusCode::not_found);
  EXPECT_EQ(refusal(ChatTemplates(), {.messages = kHello}).message(),
            "the model has no chat template");
}

TEST(ChatTemplates, ToolsChooseTheirTemplate) {
  const ChatTemplates both({{.name = "default", .place = "d", .text = "plain"},
                            {.name = "tool_use", .place = "t", .text = "{{ tools | tojson }}"},
                            {.name = "rag", .place = "r", .text = "rag"}},
                           kTokens);
  EXPECT_EQ(prompt_of(both, {.messages = kHello}), "plain");
  EXPECT_EQ(prompt_of(both, {.messages = kHello, .tools = "[]"}), "plain");
  EXPECT_EQ(
      prompt_of(both, {.messages = kHello, .tools = kTools}),
      R"([{"type": "function", "function": {"name": "zeta", "parameters": {"z": 1, "a": 2}}}])");
  EXPECT_EQ(prompt_of(both, {.messages = kHello, .template_name = "rag"}), "rag");
  EXPECT_EQ(refusal(both, {.messages = kHello, .template_name = "x"}).message(),
            "the model has no chat template named \"x\": it has default, tool_use, rag");
  const ChatTemplates no_default({{.name = "rag", .place = "r", .text = "rag"}}, kTokens);
  EXPECT_EQ(no_default.status().code(), StatusCode::not_found);
}

TEST(ChatTemplates, ToolsAndDocumentsNeedAPlace) {
  const Status tools = refusal(one(kPlain), {.messages = kHello, .tools = kTools});
  EXPECT_EQ(tools.code(), StatusCode::unsupported);
  EXPECT_EQ(tools.message(),
            "tools cannot be used: the model's chat template has no place for them");
  EXPECT_EQ(refusal(one(kPlain), {.messages = kHello, .documents = R"([{"text":"x"}])"}).code(),
            StatusCode::unsupported);
  EXPECT_EQ(refusal(one(kPlain), {.messages = kHello, .tools = "[1]"}).message(),
            "tools must be a list of objects");
}

TEST(ChatTemplates, KwargsReachTheTemplateOrAreReported) {
  const ChatTemplates templates =
      one("{{ bos_token }}{{ 'thinks' if enable_thinking else 'not' }}{{ messages[0].content }}");
  const auto rendered = templates.render(
      {.messages = kHello,
       .template_kwargs = R"({"enable_thinking":true,"colour":1,"bos_token":"B"})"});
  ASSERT_TRUE(rendered.has_value());
  EXPECT_EQ(rendered->prompt, "BthinksHello");
  EXPECT_EQ(rendered->unused_kwargs, std::vector<std::string>{"colour"});
  EXPECT_EQ(
      refusal(templates, {.messages = kHello, .template_kwargs = R"({"messages":[]})"}).message(),
      "chat_template_kwargs cannot set messages: it is a field of its own");
  EXPECT_EQ(refusal(templates, {.messages = kHello, .template_kwargs = "[]"}).message(),
            "chat_template_kwargs must be an object");
}

TEST(ChatTemplates, BrokenOnesSayWhyWhenTheyAreUsed) {
  const ChatTemplates broken = one("fine\n{% if %}");
  EXPECT_EQ(broken.status().message(), "chat.jinja: line 2: expected an expression, found %}");
  EXPECT_EQ(broken.problems().size(), 1U);
  EXPECT_EQ(refusal(broken, {.messages = kHello}).message(), broken.status().message());
  // One that refuses every conversation tried is used all the same: another may please it.
  const ChatTemplates picky = one("{{ raise_exception('never') }}");
  EXPECT_TRUE(picky.status().ok());
  EXPECT_EQ(picky.problems().at(0).message(), "chat.jinja: line 1: never");
  EXPECT_TRUE(one(kPlain).problems().empty());
}

TEST(ChatTemplates, PartsAreGivenToTemplatesThatGoThroughThem) {
  const std::string parts =
      R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])";
  EXPECT_EQ(prompt_of(one(kPlain), {.messages = parts}), "<s>[user]a\nb[assistant]");
  EXPECT_EQ(prompt_of(one(family("gemma3")), {.messages = parts}),
            "<s><start_of_turn>user\nab<end_of_turn>\n<start_of_turn>model\n");
  const ChatTemplates only_parts =
      one("{% for m in messages %}{% for p in m.content %}<{{ p.text }}>{% endfor %}{% endfor %}");
  EXPECT_EQ(prompt_of(only_parts, {.messages = kHello}), "<Hello>");
  EXPECT_EQ(prompt_of(only_parts, {.messages = parts}), "<a><b>");
}

constexpr const char* kCalls =
    R"([{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"abcdefghi",)"
    R"("type":"function","function":{"name":"f","arguments":"{\"city\": \"Paris\"}"}}]},)"
    R"({"role":"tool","tool_call_id":"abcdefghi","name":"f","content":"20"}])";

TEST(ChatTemplates, ToolCallsComeInTheFormThatTheTemplateCanDoWith) {
  // Concatenates the arguments as text, and looks for null contents.
  const std::string as_text = prompt_of(one(family("deepseek-r1")), {.messages = kCalls});
  EXPECT_NE(as_text.find("function<|sep|>f\n```json\n{\"city\": \"Paris\"}\n```"),
            std::string::npos)
      << as_text;
  // Writes them as JSON.
  const std::string as_object = prompt_of(one(family("qwen2.5")), {.messages = kCalls});
  EXPECT_NE(as_object.find(R"({"name": "f", "arguments": {"city": "Paris"}})"), std::string::npos)
      << as_object;
  // Concatenates contents: null would be an error.
  const ChatTemplates concatenates =
      one("{% for m in messages %}{{ m.role + ':' + m.content }}"
          "{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}{% endfor %};{% "
          "endfor %}");
  EXPECT_EQ(prompt_of(concatenates, {.messages = kCalls}),
            "user:q;assistant:{\"city\": \"Paris\"};tool:20;");
  // Prints "None" for null.
  const ChatTemplates prints =
      one("{% for m in messages %}{{ m.content | trim }}{{ m.tool_calls[0].function.name if "
          "m.tool_calls }};{% endfor %}");
  EXPECT_EQ(prompt_of(prints, {.messages = kCalls}), "q;f;20;");
}

TEST(ChatTemplates, TheFinalMessageIsContinued) {
  const ChatTemplates templates =
      one("{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}<end>{% endfor %}");
  const ChatRequest request{
      .messages = chat_messages_json({{"user", "Hi"}, {"assistant", " Once upon  "}}),
      .add_generation_prompt = false,
      .continue_final_message = true};
  EXPECT_EQ(prompt_of(templates, request), "<user>Hi<end><assistant>Once upon");
  EXPECT_EQ(prompt_of(one("{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>{% endfor %}"),
                      request),
            "<user>Hi<end><assistant> Once upon  ");
  ChatRequest both = request;
  both.add_generation_prompt = true;
  EXPECT_EQ(refusal(templates, both).message(),
            "continue_final_message and add_generation_prompt cannot both be true");
  EXPECT_EQ(
      refusal(one("{{ messages[0].content }}"), request).message(),
      "continue_final_message: the last message does not appear as it is in the rendered prompt");
}

TEST(ChatTemplates, AnEndlessTemplateIsFoundOutWhenItIsTried) {
  const ChatTemplates endless =
      one("{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}");
  EXPECT_EQ(endless.problems().at(0).code(), StatusCode::resource_exhausted);
}

TEST(ChatTemplates, JsonOfTheRequestIsChecked) {
  EXPECT_TRUE(
      refusal(one(kPlain), {.messages = "[{"}).message().starts_with("messages: invalid JSON"));
  EXPECT_TRUE(refusal(one(kPlain), {.messages = R"([{"role":"a","role":"b"}])"})
                  .message()
                  .starts_with("messages: invalid JSON"));
  EXPECT_EQ(
      refusal(one(kPlain), {.messages = R"([{"role":"a","x":99999999999999999999}])"}).message(),
      "messages: an integer of more than 64 bits: 99999999999999999999");
}

TEST(ChatMessagesJson, WritesPlainConversations) {
  EXPECT_EQ(chat_messages_json({{"user", "a \"b\"\n"}}),
            R"([{"content":"a \"b\"\n","role":"user"}])");
}

}  // namespace
}  // namespace llm::chat
