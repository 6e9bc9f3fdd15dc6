// "effective": what a request really runs with, whole, on every surface, with every default.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "server/server_fixture.h"

namespace llm::server {
namespace {

using core::Json;

class Effective : public ServerFixture {
 protected:
  Effective() {
    chat = [](const ChatRequest&) -> Result<RenderedChat> {
      return RenderedChat{.prompt = "<hi>", .unused_kwargs = {}};
    };
  }
  Json of_chat(std::string_view members) {
    const TestReply reply =
        post("/v1/chat/completions",
             fmt::format(R"({{"messages":[{{"role":"user","content":"hi"}}]{}}})", members));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.json().value("effective", Json());
  }
  Json of_text(std::string_view members) {
    const TestReply reply =
        post("/v1/completions", fmt::format(R"({{"prompt":[97,98]{}}})", members));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.json().value("effective", Json());
  }
};

Json defaults() {
  return Json::parse(R"({"temperature":1.0,"top_p":1.0,"top_k":0,"min_p":0.0,
      "repetition_penalty":1.0,"repeat_last_n":128,"presence_penalty":0.0,
      "frequency_penalty":0.0,"stop":[],"logit_bias":{}})");
}

// A seed that nobody gave is a number that can be given back.
void expect_defaults(Json effective, const Json& more) {
  EXPECT_TRUE(effective["seed"].is_number_unsigned()) << effective;
  effective.erase("seed");
  Json expected = defaults();
  expected.update(more);
  EXPECT_EQ(effective, expected);
}

constexpr std::string_view kAll =
    R"(,"temperature":0.7,"top_p":0.9,"top_k":40,"min_p":0.05,"repetition_penalty":1.3,)"
    R"("repeat_last_n":64,"presence_penalty":-0.5,"frequency_penalty":0.25,"stop":["x","y"],)"
    R"("seed":18446744073709551615,"logit_bias":{"5":-1.5},"max_tokens":2)";

Json all() {
  return Json::parse(R"({"temperature":0.7,"top_p":0.9,"top_k":40,"min_p":0.05,
      "repetition_penalty":1.3,"repeat_last_n":64,"presence_penalty":-0.5,
      "frequency_penalty":0.25,"stop":["x","y"],"seed":18446744073709551615,
      "logit_bias":{"5":-1.5},"max_tokens":2})");
}

Json with(Json json, const Json& more) {
  json.update(more);
  return json;
}

TEST_F(Effective, DefaultsOfEverySurface) {
  start({}, {.context = 64});
  expect_defaults(stream(post_job("\"stream\":true"))[0]["effective"],
                  {{"max_tokens", 59}, {"logprobs", 0}});
  expect_defaults(of_chat(""), {{"max_tokens", 60}, {"logprobs", nullptr}, {"n", 1}});
  expect_defaults(of_text(""), {{"max_tokens", 16}, {"logprobs", nullptr}, {"n", 1}});
}

TEST_F(Effective, ValuesThatWereGivenComeBackAsTheyWereWritten) {
  start();
  const std::string members(kAll.substr(1));
  EXPECT_EQ(stream(post_job(members + R"(,"logprobs":3)"))[0]["effective"],
            with(all(), {{"logprobs", 3}}));
  EXPECT_EQ(of_chat(fmt::format(R"({},"logprobs":true,"top_logprobs":3,"n":2)", kAll)),
            with(all(), {{"logprobs", 3}, {"n", 2}}));
  EXPECT_EQ(of_text(fmt::format(R"({},"logprobs":3)", kAll)),
            with(all(), {{"logprobs", 3}, {"n", 1}}));
}

// What has no meaning of its own is reported as what it means.
TEST_F(Effective, OtherSpellingsAreReportedUnderTheirName) {
  start();
  EXPECT_EQ(of_chat(R"(,"repeat_penalty":1.5)")["repetition_penalty"], 1.5);
  EXPECT_EQ(of_chat(R"(,"max_tokens":9,"max_completion_tokens":3)")["max_tokens"], 3);
  EXPECT_EQ(stream(post_job(R"("stop":"x")"))[0]["effective"]["stop"], Json::array({"x"}));
}

}  // namespace
}  // namespace llm::server
