// Streams of the OpenAI API over real sockets: order and shape of chunks, pings, failures,
// departure.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "server/server_fixture.h"

namespace llm::server {
namespace {

using core::Json;

constexpr std::string_view kChat = R"("messages":[{"role":"user","content":"hi"}],"stream":true)";

class OpenAiStream : public ServerFixture {
 protected:
  OpenAiStream() {
    chat = [](const ChatRequest&) -> Result<RenderedChat> {
      return RenderedChat{.prompt = "<hi>", .unused_kwargs = {}};
    };
  }
  TestReply ask(std::string_view members = "\"max_tokens\":2") {
    return post("/v1/chat/completions", fmt::format("{{{},{}}}", kChat, members));
  }
  std::vector<Json> chunks(std::string_view members) { return events_of(ask(members).body); }
  std::vector<Json> text_chunks(std::string_view members) {
    return events_of(post("/v1/completions", fmt::format(R"({{"stream":true,{}}})", members)).body);
  }
};

Json first_choice(const Json& chunk) { return chunk["choices"][0]; }

TEST_F(OpenAiStream, ChunksComeInTheContractsOrder) {
  start();
  const TestReply reply = ask(R"("max_tokens":2,"colour":1)");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("content-type"), "text/event-stream");
  EXPECT_EQ(reply.header("cache-control"), "no-cache");
  EXPECT_EQ(reply.header("x-accel-buffering"), "no");
  EXPECT_TRUE(reply.complete);
  const std::vector<Json> events = events_of(reply.body);
  ASSERT_EQ(events.size(), 5U) << reply.body;
  EXPECT_EQ(first_choice(events[0]), Json::parse(R"({"index":0,"delta":{"role":"assistant",
      "content":""},"logprobs":null,"finish_reason":null})"));
  EXPECT_EQ(first_choice(events[1]), Json::parse(R"({"index":0,"delta":{"content":"t0 "},
      "logprobs":null,"finish_reason":null})"));
  EXPECT_EQ(first_choice(events[2])["delta"]["content"], "t1 ");
  EXPECT_EQ(first_choice(events[3]), Json::parse(R"({"index":0,"delta":{},"logprobs":null,
      "finish_reason":"length"})"));
  EXPECT_EQ(events[4], "[DONE]");
  for (std::size_t e = 0; e < 4; ++e) {
    EXPECT_EQ(events[e]["object"], "chat.completion.chunk");
    for (const char* const same : {"id", "created", "model", "system_fingerprint"}) {
      EXPECT_EQ(events[e][same], events[0][same]) << same;
    }
    EXPECT_FALSE(events[e].contains("usage"));
    EXPECT_EQ(events[e].contains("ignored"), e == 0);
  }
  EXPECT_EQ(events[0]["ignored"], Json::array({"colour"}));
  EXPECT_EQ(events[0]["effective"]["max_tokens"], 2);
}

TEST_F(OpenAiStream, TheUsageComesOnceInAChunkOfItsOwn) {
  start();
  const std::vector<Json> events =
      chunks(R"("max_tokens":2,"stream_options":{"include_usage":true})");
  ASSERT_EQ(events.size(), 6U);
  for (std::size_t e = 0; e < 4; ++e) EXPECT_TRUE(events[e].at("usage").is_null());
  EXPECT_EQ(events[4]["choices"], Json::array());
  EXPECT_EQ(events[4]["usage"]["prompt_tokens"], 4);
  EXPECT_EQ(events[4]["usage"]["completion_tokens"], 2);
  EXPECT_EQ(events[4]["usage"]["total_tokens"], 6);
  EXPECT_EQ(events[5], "[DONE]");
}

TEST_F(OpenAiStream, ChoicesAreToldApartByTheirIndex) {
  start();
  std::map<std::size_t, std::string> texts;
  std::map<std::size_t, int> roles;
  std::map<std::size_t, std::string> reasons;
  for (const Json& event : chunks(R"("max_tokens":3,"n":3)")) {
    if (!event.is_object()) continue;
    const Json choice = first_choice(event);
    const std::size_t index = choice["index"];
    roles[index] += choice["delta"].contains("role") ? 1 : 0;
    texts[index] += choice["delta"].value("content", "");
    if (choice["finish_reason"].is_string()) reasons[index] = choice["finish_reason"];
  }
  ASSERT_EQ(texts.size(), 3U);
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(texts[c], "t0 t1 t2 ");
    EXPECT_EQ(roles[c], 1);
    EXPECT_EQ(reasons[c], "length");
  }
}

// The engine holds back what is not certain: such a token has no text of its own yet.
TEST_F(OpenAiStream, PiecesTogetherAreTheWholeTextAndEmptyOnesAreLeftOut) {
  token_text = [](std::int64_t made) { return made % 2 == 0 ? "" : fmt::format("ä{}", made); };
  start();
  std::string text;
  for (const Json& event : chunks("\"max_tokens\":6")) {
    if (!event.is_object()) continue;
    const Json delta = first_choice(event)["delta"];
    EXPECT_TRUE(delta.contains("role") || delta.value("content", "-") != "");
    text += delta.value("content", "");
  }
  const Json whole = post("/v1/chat/completions",
                          R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":6})")
                         .json();
  EXPECT_EQ(text, "ä1ä3ä5");
  EXPECT_EQ(whole["choices"][0]["message"]["content"], text);
}

TEST_F(OpenAiStream, LogprobsComeWithTheirTokens) {
  token_text = [](std::int64_t) { return ""; };
  start();
  const std::vector<Json> events = chunks(R"("max_tokens":2,"logprobs":true,"top_logprobs":1)");
  ASSERT_EQ(events.size(), 5U);
  for (const std::size_t e : {1U, 2U}) {
    const Json content = first_choice(events[e])["logprobs"]["content"];
    ASSERT_EQ(content.size(), 1U);
    EXPECT_EQ(content[0]["top_logprobs"].size(), 1U);
  }
}

TEST_F(OpenAiStream, TextCompletionsStreamInTheOlderShape) {
  start();
  const std::vector<Json> events =
      text_chunks(R"("prompt":[97,98],"max_tokens":1,"echo":true,"logprobs":1)");
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0]["object"], "text_completion");
  EXPECT_EQ(first_choice(events[0])["text"], "ab");
  EXPECT_EQ(first_choice(events[0])["logprobs"]["text_offset"], Json::array({0, 1}));
  EXPECT_TRUE(events[0].contains("effective"));
  EXPECT_EQ(first_choice(events[1])["text"], "t0 ");
  EXPECT_EQ(first_choice(events[1])["logprobs"]["text_offset"], Json::array({2}));
  EXPECT_EQ(first_choice(events[2]), Json::parse(R"({"index":0,"text":"","logprobs":null,
      "finish_reason":"length"})"));
  EXPECT_EQ(events[3], "[DONE]");
}

TEST_F(OpenAiStream, ManyTokensArriveWholeAndInOrder) {
  start({}, {.context = 4096});
  std::string text;
  std::string expected;
  for (const Json& event : chunks("\"max_tokens\":1000")) {
    if (event.is_object()) text += first_choice(event)["delta"].value("content", "");
  }
  for (int t = 0; t < 1000; ++t) expected += fmt::format("t{} ", t);
  EXPECT_EQ(text, expected);
}

TEST_F(OpenAiStream, HeadersComeAtOnceAndPingsWhileNothingHappens) {
  ServerOptions options;
  options.http.ping_interval = std::chrono::milliseconds(20);
  start(options);
  engine->hold();
  TestConnection connection(server->port());
  connection.send(make_request("POST", "/v1/chat/completions", fmt::format("{{{}}}", kChat)));
  EXPECT_EQ(connection.read_head().status, 200);
  for (int ping = 0; ping < 3; ++ping) EXPECT_EQ(connection.read_event(), ": ping");
  engine->release();
  std::string event = connection.read_event();
  while (event == ": ping") event = connection.read_event();
  EXPECT_NE(event.find("assistant"), std::string::npos);
}

TEST_F(OpenAiStream, StreamsOfJobsHaveNoPings) {
  ServerOptions options;
  options.http.ping_interval = std::chrono::milliseconds(5);
  start(options);
  engine->hold();
  const std::string id = post_job();
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    engine->release();
  });
  EXPECT_EQ(get(stream_path(id)).body.find(": ping"), std::string::npos);
  later.join();
}

TEST_F(OpenAiStream, AFailureEndsWithAnErrorAndNeverWithDone) {
  start();
  engine->fail_after(2, core::internal_error("a step failed"));
  const TestReply reply = ask("\"max_tokens\":5");
  EXPECT_EQ(reply.status, 200);
  const std::vector<Json> events = events_of(reply.body);
  ASSERT_FALSE(events.empty());
  const Json expected = Json::parse(R"({"error":{"message":"a step failed","type":"server_error",
                                        "param":null,"code":"internal_error"}})");
  EXPECT_EQ(events.back(), expected);
  EXPECT_EQ(reply.body.find("[DONE]"), std::string::npos);
}

TEST_F(OpenAiStream, AClientThatLeavesCancelsItsChoicesWithinATokenOrTwo) {
  start({}, {.context = 100000, .token_time = std::chrono::microseconds(500)});
  {
    TestConnection connection(server->port());
    connection.send(make_request("POST", "/v1/chat/completions",
                                 fmt::format("{{{},\"n\":2,\"max_tokens\":2000}}", kChat)));
    EXPECT_EQ(connection.read_head().status, 200);
    EXPECT_NE(connection.read_event(), "");
  }
  EXPECT_TRUE(eventually([&] { return engine->cancelled() == 2; }));
  EXPECT_LT(engine->tokens_made(), 1000);
}

TEST_F(OpenAiStream, AConnectionServesOnAfterAStream) {
  start();
  TestConnection connection(server->port());
  const std::string body = fmt::format("{{{},\"max_tokens\":2}}", kChat);
  for (int round = 0; round < 3; ++round) {
    connection.send(make_request("POST", "/v1/chat/completions", body));
    EXPECT_EQ(events_of(connection.read_reply().body).back(), "[DONE]");
  }
}

}  // namespace
}  // namespace llm::server
