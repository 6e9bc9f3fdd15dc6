// /tokenize, /detokenize and /apply-template: options, answers and refusals.
#include <gtest/gtest.h>

#include "server/server_fixture.h"

namespace llm::server {
namespace {

using core::Json;

class Tokenizing : public ServerFixture {};

TEST_F(Tokenizing, TokenizeAndDetokenizeAreEachOthersInverse) {
  start();
  EXPECT_EQ(post("/tokenize", R"({"content":"hi"})").json(), Json({{"tokens", {104, 105}}}));
  EXPECT_EQ(post("/tokenize", R"({"content":"hi","add_special":true})").json()["tokens"][0], 1);
  EXPECT_EQ(post("/detokenize", R"({"tokens":[104,105]})").json(), Json({{"content", "hi"}}));
  EXPECT_EQ(post("/detokenize", R"({"tokens":[195]})").json()["content"], "\xEF\xBF\xBD");
  EXPECT_EQ(post("/tokenize", R"({"content":"","x":1})").json(),
            Json({{"tokens", Json::array()}, {"ignored", {"x"}}}));
}

TEST_F(Tokenizing, PiecesAreTextOrBytesBesideTheirIds) {
  start();
  EXPECT_EQ(post("/tokenize", R"({"content":"h\u00e4","with_pieces":true})").json(),
            Json::parse(R"({"tokens":[{"id":104,"piece":"h"},{"id":195,"piece":[195]},
                                      {"id":164,"piece":[164]}]})"));
  EXPECT_EQ(
      post("/tokenize", R"({"content":"","with_pieces":true,"add_special":true})").json()["tokens"],
      Json::parse(R"([{"id":1,"piece":"<s>"}])"));
  EXPECT_EQ(post("/tokenize", R"({"content":"","with_pieces":true})").json()["tokens"],
            Json::array());
}

TEST_F(Tokenizing, ControlTokensInTheTextAreRecognisedUnlessSwitchedOff) {
  start();
  EXPECT_EQ(post("/tokenize", R"({"content":"<s>"})").json()["tokens"], Json::array({1}));
  EXPECT_EQ(post("/tokenize", R"({"content":"<s>","parse_special":true})").json()["tokens"],
            Json::array({1}));
  EXPECT_EQ(post("/tokenize", R"({"content":"<s>","parse_special":false})").json()["tokens"],
            Json::array({'<', 's', '>'}));
}

TEST_F(Tokenizing, TokenizerRoutesRefuseWhatTheyCannotDo) {
  start();
  for (const char* body :
       {"{}", R"({"content":5})", R"({"content":"x","with_pieces":1})",
        R"({"content":"x","parse_special":0})", R"({"content":"x","add_special":1})"}) {
    EXPECT_EQ(post("/tokenize", body).status, 400) << body;
  }
  for (const char* body : {"{}", R"({"tokens":"x"})", R"({"tokens":[256]})", R"({"tokens":[-1]})",
                           R"({"tokens":[1.5]})"}) {
    EXPECT_EQ(post("/detokenize", body).status, 400) << body;
  }
  EXPECT_EQ(post("/tokenize", R"({"content":"","x":1})", "X-Strict: 1\r\n").status, 400);
}

TEST_F(Tokenizing, ApplyTemplatePassesTheConversationOnInTheClientsOrder) {
  ChatRequest seen;
  chat = [&](const ChatRequest& request) -> Result<RenderedChat> {
    seen = request;
    return RenderedChat{.prompt = "rendered", .unused_kwargs = {"colour"}};
  };
  start();
  const std::string body = R"({"messages":[{"role":"user","content":"x"}],"tools":[{"z":1,"a":2}],)"
                           R"("chat_template_kwargs":{"colour":1},"continue_final_message":true})";
  const TestReply reply = post("/apply-template", body);
  EXPECT_EQ(reply.json(),
            (Json{{"prompt", "rendered"}, {"ignored", {"chat_template_kwargs.colour"}}}))
      << reply.body;
  EXPECT_EQ(seen.messages, R"([{"role":"user","content":"x"}])");
  EXPECT_EQ(seen.tools, R"([{"z":1,"a":2}])");
  EXPECT_EQ(seen.template_kwargs, R"({"colour":1})");
  EXPECT_TRUE(seen.continue_final_message);
  EXPECT_FALSE(seen.add_generation_prompt) << "not together with continue_final_message";
  EXPECT_EQ(post("/apply-template", body, "X-Strict: 1\r\n").status, 400);
}

TEST_F(Tokenizing, ApplyTemplateWithoutATemplateSaysSo) {
  start();
  const TestReply reply =
      post("/apply-template", R"({"messages":[{"role":"user","content":"x"}]})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.json()["errors"][0]["message"],
            "messages cannot be used: the model has no chat template");
}

}  // namespace
}  // namespace llm::server
