// The OpenAI API over real sockets: replies, errors, departure of clients. Streams:
// openai_stream_test.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "server/server_fixture.h"

namespace llm::server {
namespace {

using core::Json;

constexpr std::string_view kChat = R"("messages":[{"role":"user","content":"hi"}])";

class OpenAi : public ServerFixture {
 protected:
  OpenAi() {
    chat = [](const ChatRequest& request) -> Result<RenderedChat> {
      if (request.messages.find("wrong") != std::string::npos) {
        return core::invalid_argument("messages[0] is wrong");
      }
      return RenderedChat{.prompt = "<hi>", .unused_kwargs = {}};
    };
  }
  TestReply ask(std::string_view members = "\"max_tokens\":3", std::string_view headers = "") {
    return post("/v1/chat/completions", fmt::format("{{{},{}}}", kChat, members), headers);
  }
  TestReply complete(std::string_view members) {
    return post("/v1/completions", fmt::format("{{{}}}", members));
  }
  static Json error_of(const TestReply& reply) { return reply.json().value("error", Json()); }
};

TEST_F(OpenAi, AChatIsAnsweredInTheShapeThatClientsExpect) {
  start();
  const TestReply reply = ask(R"("max_tokens":3,"seed":7,"colour":1)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.header("content-type"), "application/json");
  const Json body = reply.json();
  EXPECT_EQ(body["id"].get<std::string>().substr(0, 9), "chatcmpl-");
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_GT(body["created"], 1700000000);
  EXPECT_EQ(body["model"], "fake");
  EXPECT_EQ(body["system_fingerprint"].get<std::string>().substr(0, 3), "fp_");
  EXPECT_EQ(body["choices"], Json::parse(R"([{"index":0,"message":{"role":"assistant",
      "content":"t0 t1 t2 ","refusal":null},"logprobs":null,"finish_reason":"length"}])"));
  EXPECT_EQ(body["usage"], Json::parse(R"({"prompt_tokens":4,"completion_tokens":3,
      "total_tokens":7,"prompt_tokens_details":{"cached_tokens":0}})"));
  EXPECT_EQ(body["effective"]["seed"], 7);
  EXPECT_EQ(body["effective"]["max_tokens"], 3);
  EXPECT_EQ(body["ignored"], Json::array({"colour"}));
  EXPECT_EQ(engine->last_request().prompt_tokens, (std::vector<std::int32_t>{'<', 'h', 'i', '>'}))
      << "the template writes BOS itself";
}

TEST_F(OpenAi, AnotherDtypeReachesTheEngineAndIsPartOfTheFingerprint) {
  start();
  const Json loaded = ask(R"("max_tokens":1,"dtype":"f32")").json()["system_fingerprint"];
  EXPECT_EQ(engine->last_request().dtype, std::nullopt);
  const Json other = ask(R"("max_tokens":1,"dtype":"bf16")").json()["system_fingerprint"];
  EXPECT_EQ(engine->last_request().dtype, DType::bf16);
  EXPECT_TRUE(other.is_string());
  EXPECT_NE(other, loaded);
}

TEST_F(OpenAi, EveryRouteExistsWithoutThePrefixToo) {
  start();
  for (const std::string prefix : {"/v1", ""}) {
    EXPECT_EQ(get(prefix + "/models").json()["data"][0]["id"], "fake");
    EXPECT_EQ(get(prefix + "/models/fake").json()["object"], "model");
    const std::string chat_body = fmt::format("{{{},\"max_tokens\":1}}", kChat);
    EXPECT_EQ(post(prefix + "/chat/completions", chat_body).status, 200);
    EXPECT_EQ(post(prefix + "/completions", R"({"prompt":"a","max_tokens":1})").status, 200);
    EXPECT_EQ(post(prefix + "/embeddings", R"({"input":"a"})").status, 400);
  }
}

TEST_F(OpenAi, ModelsAreListedUnderTheServedName) {
  ServerOptions options;
  options.model_name = "hf:org/small";
  start(options);
  const Json list = get("/v1/models").json();
  EXPECT_EQ(list["object"], "list");
  ASSERT_EQ(list["data"].size(), 1U);
  const Json& model = list["data"][0];
  EXPECT_EQ(model["id"], "hf:org/small");
  EXPECT_EQ(model["object"], "model");
  EXPECT_GT(model["created"], 1700000000);
  EXPECT_EQ(model["owned_by"], "llm-worker");
  // With the slash as it is or escaped, as clients differ in that.
  EXPECT_EQ(get("/v1/models/hf:org/small").json(), model);
  EXPECT_EQ(get("/v1/models/hf%3Aorg%2Fsmall").json(), model);
  const TestReply unknown = get("/v1/models/other");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(error_of(unknown)["code"], "model_not_found");
}

TEST_F(OpenAi, EmbeddingsAreRefusedWithTheReason) {
  start();
  const TestReply reply = post("/v1/embeddings", R"({"input":"a","model":"fake"})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(error_of(reply)["type"], "invalid_request_error");
  EXPECT_NE(error_of(reply)["message"].get<std::string>().find("no embeddings"), std::string::npos);
}

TEST_F(OpenAi, SeveralChoicesShareAPromptAndDifferInTheirSeed) {
  start();
  const Json body = ask(R"("max_tokens":2,"n":3,"seed":10)").json();
  ASSERT_EQ(body["choices"].size(), 3U) << body;
  for (int c = 0; c < 3; ++c) {
    EXPECT_EQ(body["choices"][static_cast<std::size_t>(c)]["index"], c);
    EXPECT_EQ(body["choices"][static_cast<std::size_t>(c)]["message"]["content"], "t0 t1 ");
  }
  EXPECT_EQ(engine->last_request().sampling.seed, 12U);
  EXPECT_EQ(body["usage"]["prompt_tokens"], 4) << "the prompt counts once";
  EXPECT_EQ(body["usage"]["completion_tokens"], 6);
  EXPECT_EQ(body["effective"]["n"], 3);
}

TEST_F(OpenAi, FinishReasonsAreStopAndLength) {
  start({}, {.script_tokens = 2});
  EXPECT_EQ(ask("\"max_tokens\":9").json()["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(ask("\"max_tokens\":1").json()["choices"][0]["finish_reason"], "length");
  engine->set_stop_text_after(1);
  EXPECT_EQ(ask(R"("stop":"x")").json()["choices"][0]["finish_reason"], "stop");
}

TEST_F(OpenAi, ChatLogprobsHaveTheChosenTokenAndItsAlternatives) {
  start();
  const Json none = ask(R"("max_tokens":1,"logprobs":true)").json()["choices"][0]["logprobs"];
  ASSERT_EQ(none["content"].size(), 1U) << none;
  EXPECT_TRUE(none["refusal"].is_null());
  EXPECT_EQ(none["content"][0]["top_logprobs"], Json::array());
  EXPECT_EQ(none["content"][0]["logprob"], -0.5);
  EXPECT_EQ(none["content"][0]["bytes"], Json::array({0xC3}));
  EXPECT_EQ(none["content"][0]["token"], "bytes:\\xc3") << "half a character";
  const Json two = ask(R"("max_tokens":1,"logprobs":true,"top_logprobs":2)").json();
  EXPECT_EQ(two["choices"][0]["logprobs"]["content"][0]["top_logprobs"].size(), 2U);
  EXPECT_TRUE(ask("\"max_tokens\":1").json()["choices"][0]["logprobs"].is_null());
}

TEST_F(OpenAi, TextCompletionsHaveTheOlderShape) {
  start();
  const Json body = complete(R"("prompt":"ab","max_tokens":2)").json();
  EXPECT_EQ(body["id"].get<std::string>().substr(0, 5), "cmpl-");
  EXPECT_EQ(body["object"], "text_completion");
  EXPECT_EQ(body["choices"], Json::parse(R"([{"index":0,"text":"t0 t1 ","logprobs":null,
                                              "finish_reason":"length"}])"));
  EXPECT_EQ(body["usage"]["prompt_tokens"], 3) << "with the begin token";
}

TEST_F(OpenAi, PromptsOfAListAreAnsweredInOrder) {
  start();
  const Json body = complete(R"("prompt":["a",[98,99]],"max_tokens":1,"n":2,"echo":true)").json();
  ASSERT_EQ(body["choices"].size(), 4U) << body;
  const std::vector<std::string> expected = {"at0 ", "at0 ", "bct0 ", "bct0 "};
  for (std::size_t c = 0; c < 4; ++c) {
    EXPECT_EQ(body["choices"][c]["index"], c);
    EXPECT_EQ(body["choices"][c]["text"], expected[c]);
  }
  EXPECT_EQ(body["usage"]["prompt_tokens"], 4);
  EXPECT_EQ(body["usage"]["completion_tokens"], 4);
}

TEST_F(OpenAi, EchoReportsThePromptsTokensWithTheirLogprobs) {
  start();
  const Json choice =
      complete(R"("prompt":[97,98],"max_tokens":1,"echo":true,"logprobs":1)").json()["choices"][0];
  EXPECT_EQ(choice["text"], "abt0 ");
  const Json& logprobs = choice["logprobs"];
  EXPECT_EQ(logprobs["tokens"], Json::array({"a", "b", "bytes:\\xc3"}));
  EXPECT_EQ(logprobs["token_logprobs"], Json::array({nullptr, -1.0, -0.5}));
  EXPECT_EQ(logprobs["text_offset"], Json::array({0, 1, 2}));
  EXPECT_TRUE(logprobs["top_logprobs"][0].is_null());
  EXPECT_EQ(logprobs["top_logprobs"][1], (Json{{"b", -1.0}}));
}

TEST_F(OpenAi, NoTokensWithEchoIsAWayToScoreAPrompt) {
  start();
  const Json body = complete(R"("prompt":[97,98],"max_tokens":0,"echo":true,"logprobs":0)").json();
  EXPECT_EQ(body["choices"][0]["text"], "ab") << body;
  EXPECT_EQ(body["choices"][0]["logprobs"]["token_logprobs"], Json::array({nullptr, -1.0}));
  EXPECT_EQ(body["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(body["usage"]["completion_tokens"], 0);
  EXPECT_EQ(body["effective"]["max_tokens"], 0);
}

TEST_F(OpenAi, ErrorsHaveTheShapeThatClientsExpect) {
  start();
  const TestReply fields = ask(R"("temperature":9,"top_p":2)");
  EXPECT_EQ(fields.status, 400);
  EXPECT_EQ(fields.json(), Json::parse(R"-({"error":{
      "message":"temperature must be at most 2.0 (got 9); top_p must be at most 1.0 (got 2)",
      "type":"invalid_request_error","param":"temperature","code":null}})-"));
  const TestReply model = ask(R"("model":"gpt-4")");
  EXPECT_EQ(model.status, 404);
  EXPECT_EQ(error_of(model)["type"], "invalid_request_error");
  EXPECT_EQ(error_of(model)["code"], "model_not_found");
  const TestReply messages =
      post("/v1/chat/completions", R"({"messages":[{"role":"user","content":"wrong"}]})");
  EXPECT_EQ(messages.status, 400);
  EXPECT_EQ(error_of(messages)["param"], "messages");
  EXPECT_EQ(error_of(messages)["message"], "messages[0] is wrong");
  const TestReply json = post("/v1/chat/completions", "{");
  EXPECT_EQ(json.status, 400);
  EXPECT_EQ(error_of(json)["type"], "invalid_request_error");
  engine->dtype_refusal = Status(StatusCode::resource_exhausted, "no room")
                              .with_shortage({.required_bytes = 9, .available_bytes = 8});
  const TestReply dtype = ask(R"("dtype":"f16")");
  EXPECT_EQ(dtype.status, 422);
  EXPECT_EQ(error_of(dtype)["code"], "dtype_not_resident");
  EXPECT_EQ(error_of(dtype)["param"], "dtype");
  EXPECT_EQ(error_of(dtype)["required_bytes"], 9);
  EXPECT_EQ(error_of(dtype)["available_bytes"], 8);
  EXPECT_EQ(error_of(ask("\"a\":1", "Content-Type: text/plain\r\n"))["code"],
            "unsupported_media_type");
}

TEST_F(OpenAi, APromptThatFillsTheContextIsSaidWithBothCounts) {
  start({}, {.context = 4});
  const TestReply reply = ask();
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(error_of(reply)["type"], "invalid_request_error");
  EXPECT_EQ(error_of(reply)["code"], "context_length_exceeded");
  EXPECT_EQ(error_of(reply)["param"], "messages");
  EXPECT_EQ(error_of(reply)["n_prompt_tokens"], 4);
  EXPECT_EQ(error_of(reply)["n_ctx"], 4);
}

TEST_F(OpenAi, MaxTokensIsClippedToTheContextAndTheClipReported) {
  start({}, {.context = 10});
  const Json body = ask("\"max_tokens\":100").json();
  EXPECT_EQ(body["effective"]["max_tokens"], 6);
  EXPECT_EQ(body["usage"]["completion_tokens"], 6);
}

TEST_F(OpenAi, StrictTurnsUnknownFieldsIntoErrors) {
  start();
  const TestReply reply = ask("\"colour\":1", "X-Strict: 1\r\n");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(error_of(reply)["param"], "colour");
}

TEST_F(OpenAi, AKeyIsAskedForInTheShapeThatClientsExpect) {
  ServerOptions options;
  options.api_key = "secret";
  start(options);
  for (const std::string headers : {"", "Authorization: Bearer wrong\r\n"}) {
    const TestReply reply = get("/v1/models", headers);
    EXPECT_EQ(reply.status, 401);
    EXPECT_EQ(error_of(reply)["type"], "authentication_error");
    EXPECT_EQ(error_of(reply)["code"], "invalid_api_key");
    EXPECT_EQ(reply.header("www-authenticate"), "Bearer");
  }
  EXPECT_EQ(get("/v1/models", "Authorization: Bearer secret\r\n").status, 200);
}

TEST_F(OpenAi, WhileTheModelLoadsAllRoutesSayWhenToTryAgain) {
  start({}, {}, false);
  for (const TestReply& reply : {ask(), get("/v1/models")}) {
    EXPECT_EQ(reply.status, 503);
    EXPECT_EQ(error_of(reply)["type"], "unavailable_error");
    EXPECT_NE(reply.header("retry-after"), "");
  }
}

TEST_F(OpenAi, AFullQueueIs429AndTakesBackTheChoicesThatFitted) {
  start({}, {.max_sequences = 1, .max_queue = 1});
  engine->hold();
  post_job("\"max_tokens\":3");
  const TestReply full = ask(R"("n":2)");
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(error_of(full)["type"], "rate_limit_error");
  EXPECT_EQ(error_of(full)["code"], "queue_full");
  EXPECT_EQ(full.header("retry-after"), "3");
  engine->release();
  EXPECT_TRUE(eventually([&] { return get("/v1/ready").json()["state"] == "idle"; }));
  EXPECT_EQ(engine->cancelled(), 1);
}

TEST_F(OpenAi, AStepThatFailsIs500) {
  start();
  engine->fail_after(0, core::internal_error("a step failed"));
  const TestReply reply = ask();
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(error_of(reply)["type"], "server_error");
  EXPECT_EQ(error_of(reply)["message"], "a step failed");
}

TEST_F(OpenAi, AClientThatLeavesWhileItWaitsCancelsItsChoices) {
  start();
  engine->hold();
  {
    TestConnection connection(server->port());
    connection.send(
        make_request("POST", "/v1/chat/completions", fmt::format("{{{},\"n\":2}}", kChat)));
    ASSERT_TRUE(eventually([&] { return engine->stats().waiting == 2; }));
  }
  EXPECT_TRUE(eventually([&] { return engine->cancels_asked_for() == 2; }));
  engine->release();
  EXPECT_TRUE(eventually([&] { return engine->cancelled() == 2; }));
  EXPECT_EQ(engine->tokens_made(), 0) << "queued work of a client that left never starts";
}

TEST_F(OpenAi, RepliesComeInOrderOnOneConnection) {
  start({}, {.token_time = std::chrono::microseconds(200)});
  TestConnection connection(server->port());
  const std::string body = fmt::format("{{{},\"max_tokens\":20}}", kChat);
  // The second request is there while the first one is being answered.
  connection.send(make_request("POST", "/v1/chat/completions", body) +
                  make_request("GET", "/v1/models") +
                  make_request("POST", "/v1/chat/completions", body));
  EXPECT_EQ(connection.read_reply().json()["object"], "chat.completion");
  EXPECT_EQ(connection.read_reply().json()["object"], "list");
  EXPECT_EQ(connection.read_reply().json()["usage"]["completion_tokens"], 20);
}

TEST_F(OpenAi, TheJobsApiDoesNotListThem) {
  start();
  engine->hold();
  TestConnection connection(server->port());
  connection.send(make_request("POST", "/v1/chat/completions", fmt::format("{{{}}}", kChat)));
  ASSERT_TRUE(eventually([&] { return engine->stats().waiting == 1; }));
  EXPECT_EQ(get("/v1/jobs").json()["jobs"], Json::array());
  EXPECT_EQ(get("/v1/ready").json()["state"], "busy");
  engine->release();
  EXPECT_EQ(connection.read_reply().status, 200);
}

TEST_F(OpenAi, DrainEndsWhatDoesNotFinishInTime) {
  start();
  engine->hold();
  TestConnection connection(server->port());
  connection.send(make_request("POST", "/v1/chat/completions", fmt::format("{{{}}}", kChat)));
  ASSERT_TRUE(eventually([&] { return engine->stats().waiting == 1; }));
  std::thread drain([&] { server->drain(std::chrono::milliseconds(50)); });
  const TestReply reply = connection.read_reply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(error_of(reply)["code"], "shutting_down");
  engine->release();
  drain.join();
  EXPECT_EQ(ask().status, 503);
}

}  // namespace
}  // namespace llm::server
