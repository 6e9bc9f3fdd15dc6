// Messages as clients send them, in the form that templates are given.
#include "chat/messages.h"

#include "chat/support.h"

namespace llm::chat {
namespace {

std::string normalized(std::string_view messages, const MessageStyle& style = {}) {
  const auto given = from_json(messages, "messages");
  EXPECT_TRUE(given.has_value());
  auto made = normalize_messages(*given, style);
  EXPECT_TRUE(made.has_value()) << made.error().message();
  if (!made) return "";
  Runtime runtime({});
  return *to_json(runtime, Value::list(std::move(*made)),
                  {.item_separator = ",", .key_separator = ":"});
}

std::string refused(std::string_view messages, const MessageStyle& style = {}) {
  const auto made = normalize_messages(*from_json(messages, "messages"), style);
  EXPECT_FALSE(made.has_value());
  return made ? "" : made.error().message();
}

TEST(ChatMessages, KeepWhatTheyHave) {
  EXPECT_EQ(normalized(R"([{"role":"user","content":"x","name":"Bob","z":[1]}])"),
            R"([{"role":"user","content":"x","name":"Bob","z":[1]}])");
}

TEST(ChatMessages, NullMembersGo) {
  EXPECT_EQ(normalized(R"([{"role":"assistant","content":"x","refusal":null,"tool_calls":null}])"),
            R"([{"role":"assistant","content":"x"}])");
}

TEST(ChatMessages, NullContentStaysNullBesideToolCallsOnly) {
  const std::string call =
      R"([{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{}}}]}])";
  EXPECT_EQ(normalized(call, {.null_content = true}), call);
  EXPECT_NE(normalized(call, {}).find(R"("content":"")"), std::string::npos);
  EXPECT_EQ(
      normalized(R"([{"role":"user","content":null},{"role":"user"}])", {.null_content = true}),
      R"([{"role":"user","content":""},{"role":"user","content":""}])");
}

TEST(ChatMessages, PartsAreJoinedWhereTheTemplateWantsText) {
  const std::string parts =
      R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])";
  EXPECT_EQ(normalized(parts), R"([{"role":"user","content":"a\nb"}])");
  EXPECT_EQ(normalized(parts, {.part_content = true}), parts);
  EXPECT_EQ(normalized(R"([{"role":"user","content":"a"}])",
                       {.text_content = false, .part_content = true}),
            R"([{"role":"user","content":[{"type":"text","text":"a"}]}])");
}

TEST(ChatMessages, ArgumentsBecomeObjects) {
  const std::string text =
      R"([{"role":"assistant","content":"","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"b\": 1, \"a\": 2}"}}]}])";
  EXPECT_NE(normalized(text).find(R"("arguments":{"b":1,"a":2})"), std::string::npos);
  EXPECT_NE(
      normalized(text, {.text_arguments = true}).find(R"("arguments":"{\"b\": 1, \"a\": 2}")"),
      std::string::npos);
  const std::string object =
      R"([{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"b":1}}}]}])";
  EXPECT_NE(normalized(object, {.text_arguments = true}).find(R"("arguments":"{\"b\": 1}")"),
            std::string::npos);
  EXPECT_NE(normalized(
                R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":""}}]}])")
                .find(R"("arguments":{})"),
            std::string::npos);
}

TEST(ChatMessages, EmptyToolCallsAreNone) {
  EXPECT_EQ(normalized(R"([{"role":"assistant","content":"x","tool_calls":[]}])"),
            R"([{"role":"assistant","content":"x"}])");
}

TEST(ChatMessages, DeveloperIsSystemWhereTheTemplateDoesNotKnowIt) {
  const std::string developer = R"([{"role":"developer","content":"x"}])";
  EXPECT_EQ(normalized(developer), R"([{"role":"system","content":"x"}])");
  EXPECT_EQ(normalized(developer, {.developer_role = true}), developer);
}

TEST(ChatMessages, ReasoningHasEveryNameThatTemplatesRead) {
  EXPECT_EQ(
      normalized(R"([{"role":"assistant","content":"x","reasoning":"r"}])"),
      R"([{"thinking":"r","role":"assistant","content":"x","reasoning":"r","reasoning_content":"r"}])");
}

TEST(ChatMessages, ErrorsNameThePlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "messages must be a list of at least one message object"},
      {"{}", "messages must be a list of at least one message object"},
      {"[1]", "messages[0] must be an object"},
      {R"([{"content":"x"}])", "messages[0] must have a role"},
      {R"([{"role":1}])", "messages[0] must have a role"},
      {R"([{"role":"user","content":5}])",
       "messages[0].content must be text, null or a list of parts"},
      {R"([{"role":"user","content":[5]}])",
       "messages[0].content[0] must be an object with a type"},
      {R"([{"role":"user","content":[{"type":"text"}]}])",
       "messages[0].content[0] must have a text"},
      {R"([{"role":"user","content":"x"},{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url"}]}])",
       "messages[1].content[1]: parts of type \"image_url\" are not supported: only text is"},
      {R"([{"role":"assistant","tool_calls":5}])", "messages[0].tool_calls must be a list"},
      {R"([{"role":"assistant","tool_calls":[{}]}])",
       "messages[0].tool_calls[0] must have a function"},
      {R"([{"role":"assistant","tool_calls":[{"function":{}}]}])",
       "messages[0].tool_calls[0].function must have a name"},
      {R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"[1]"}}]}])",
       "messages[0].tool_calls[0].function.arguments must be a JSON object"},
  };
  for (const auto& [messages, error] : cases) EXPECT_EQ(refused(messages), error);
  EXPECT_TRUE(
      refused(R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{x"}}]}])")
          .starts_with("messages[0].tool_calls[0].function.arguments: invalid JSON"));
}

}  // namespace
}  // namespace llm::chat
