// Errors of the OpenAI API: type and code of each status, before and inside of a stream.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "server/server_fixture.h"

namespace llm::server {
namespace {

using core::Json;

constexpr std::string_view kChat = R"({"messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kStream =
    R"({"messages":[{"role":"user","content":"hi"}],"stream":true,"max_tokens":2000})";

class OpenAiErrors : public ServerFixture {
 protected:
  OpenAiErrors() {
    chat = [](const ChatRequest&) -> Result<RenderedChat> {
      return RenderedChat{.prompt = "<hi>", .unused_kwargs = {}};
    };
  }
  static void expect(const TestReply& reply, int status, const std::string& type,
                     const Json& code) {
    EXPECT_EQ(reply.status, status) << reply.body;
    const Json body = reply.json();
    ASSERT_EQ(body.size(), 1U) << reply.body;
    const Json error = body.value("error", Json());
    for (const char* const member : {"message", "type", "param", "code"}) {
      EXPECT_TRUE(error.contains(member)) << member << ": " << reply.body;
    }
    EXPECT_EQ(error.value("type", ""), type) << reply.body;
    EXPECT_EQ(error.value("code", Json()), code) << reply.body;
    EXPECT_NE(error.value("message", ""), "");
  }
};

TEST_F(OpenAiErrors, EveryStatusHasItsTypeAndCode) {
  ServerOptions options;
  options.api_key = "k";
  options.http.body_bytes = 1000;
  start(options, {.context = 10, .max_sequences = 1, .max_queue = 0});
  const std::string path = "/v1/chat/completions";
  const std::string key = "x-api-key: k\r\n";
  const std::string invalid = "invalid_request_error";
  expect(post(path, "{", key), 400, invalid, nullptr);
  expect(post(path, R"({"messages":[]})", key), 400, invalid, nullptr);
  expect(post("/v1/completions", R"({"prompt":"123456789"})", key), 400, invalid,
         "context_length_exceeded");
  expect(post(path, kChat), 401, "authentication_error", "invalid_api_key");
  expect(post(path, kChat, "x-api-key: q\r\n"), 401, "authentication_error", "invalid_api_key");
  expect(post(path, R"({"messages":[{"role":"user","content":"hi"}],"model":"m"})", key), 404,
         invalid, "model_not_found");
  expect(get("/v1/models/m", key), 404, invalid, "model_not_found");
  expect(get(path, key), 405, invalid, "method_not_allowed");
  expect(post("/models", "{}", key), 405, invalid, "method_not_allowed");
  expect(post(path, std::string(1001, ' '), key), 413, invalid, "payload_too_large");
  expect(post(path, kChat, key + "Content-Type: text/plain\r\n"), 415, invalid,
         "unsupported_media_type");
  engine->hold();
  TestConnection first(server->port());
  first.send(make_request("POST", path, kChat, key));
  ASSERT_TRUE(eventually([&] { return engine->stats().waiting == 1; }));
  expect(post(path, kChat, key), 429, "rate_limit_error", "queue_full");
  engine->release();
  EXPECT_EQ(first.read_reply().status, 200);
}

TEST_F(OpenAiErrors, UnavailableIsSaidWithItsReason) {
  start({}, {}, false);
  expect(post("/v1/completions", R"({"prompt":"a"})"), 503, "unavailable_error", "model_loading");
  server->set_failed(core::corrupt_data("no header"));
  expect(post("/v1/completions", R"({"prompt":"a"})"), 503, "unavailable_error", "model_failed");
}

TEST_F(OpenAiErrors, AnEngineThatHasGivenUpIs503OnBothSurfaces) {
  start();
  engine->break_down(core::internal_error("the engine has failed: no memory"));
  expect(post("/v1/chat/completions", kChat), 503, "unavailable_error", "model_failed");
  const TestReply job = post("/v1/jobs", R"({"operation":"infer","prompt":"p"})");
  EXPECT_EQ(job.status, 503);
  EXPECT_EQ(job.json()["error"],
            (Json{{"code", "MODEL_FAILED"}, {"message", "the engine has failed: no memory"}}));
}

TEST_F(OpenAiErrors, AStreamThatTheWorkersEndCutsOffHasNoDone) {
  start({}, {.context = 100000, .token_time = std::chrono::milliseconds(1)});
  TestConnection reader(server->port());
  reader.send(make_request("POST", "/v1/chat/completions", kStream));
  EXPECT_EQ(reader.read_head().status, 200);
  EXPECT_NE(reader.read_event(), "");
  std::thread drain([&] { server->drain(std::chrono::milliseconds(50)); });
  std::string last;
  std::string all;
  for (std::string event = reader.read_event(); !event.empty(); event = reader.read_event()) {
    all += event + "\n";
    last = std::move(event);
  }
  drain.join();
  ASSERT_EQ(last.substr(0, 6), "data: ");
  const Json error = Json::parse(last.substr(6)).value("error", Json());
  EXPECT_EQ(error.value("type", ""), "unavailable_error") << last;
  EXPECT_EQ(error.value("code", ""), "shutting_down") << last;
  EXPECT_EQ(all.find("[DONE]"), std::string::npos);
  EXPECT_TRUE(reader.closed_by_peer(10000));
}

TEST_F(OpenAiErrors, AStreamThatIsRefusedIsAPlainError) {
  start();
  const TestReply reply =
      post("/v1/chat/completions",
           R"({"messages":[{"role":"user","content":"hi"}],"stream":true,"temperature":3})");
  EXPECT_EQ(reply.header("content-type"), "application/json");
  expect(reply, 400, "invalid_request_error", nullptr);
  EXPECT_EQ(reply.json()["error"]["param"], "temperature");
}

TEST_F(OpenAiErrors, APromptMayLeaveRoomForOneToken) {
  start({}, {.context = 10});
  const auto ask = [&](std::size_t tokens) {
    return post("/v1/completions",
                fmt::format(R"({{"prompt":{}}})", Json(std::vector<int>(tokens, 97)).dump()));
  };
  const TestReply fits = ask(9);
  EXPECT_EQ(fits.status, 200) << fits.body;
  EXPECT_EQ(fits.json()["usage"]["completion_tokens"], 1);
  const TestReply refused = ask(10);
  expect(refused, 400, "invalid_request_error", "context_length_exceeded");
  const Json error = refused.json()["error"];
  EXPECT_EQ(error["n_prompt_tokens"], 10);
  EXPECT_EQ(error["n_ctx"], 10);
  EXPECT_EQ(error["param"], "prompt");
}

TEST_F(OpenAiErrors, EmbeddingsAreRefusedInEitherEncoding) {
  start();
  for (const std::string body :
       {R"({"input":"a"})", R"({"input":["a","b"],"encoding_format":"base64"})",
        R"({"input":[[1,2]],"encoding_format":"float","dimensions":8})"}) {
    const TestReply reply = post("/v1/embeddings", body);
    expect(reply, 400, "invalid_request_error", nullptr);
    EXPECT_NE(reply.body.find("no embeddings"), std::string::npos);
  }
}

TEST_F(OpenAiErrors, FingerprintsAreOfTheWorkerAndIdsOfTheRequest) {
  const auto ask = [&] { return post("/v1/chat/completions", kChat).json(); };
  ServerOptions options;
  options.version = "1";
  start(options);
  const Json first = ask();
  const Json second = ask();
  EXPECT_EQ(first["system_fingerprint"], second["system_fingerprint"]);
  EXPECT_NE(first["id"], second["id"]);
  options.version = "2";
  start(options);
  EXPECT_NE(ask()["system_fingerprint"], first["system_fingerprint"]);
}

TEST_F(OpenAiErrors, AStreamHasDataLinesAndPingsOnly) {
  ServerOptions options;
  options.http.ping_interval = std::chrono::milliseconds(5);
  start(options, {.context = 4096, .token_time = std::chrono::milliseconds(20)});
  const TestReply reply =
      post("/v1/chat/completions",
           R"({"messages":[{"role":"user","content":"hi"}],"stream":true,"max_tokens":10,"n":2})");
  ASSERT_TRUE(reply.complete);
  EXPECT_NE(reply.body.find(": ping\n\n"), std::string::npos);
  std::string_view rest = reply.body;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    EXPECT_TRUE(line.substr(0, 6) == "data: " || line == ": ping") << line;
    ASSERT_EQ(rest.substr(line.size(), 2), "\n\n");
    rest.remove_prefix(line.size() + 2);
  }
}

}  // namespace
}  // namespace llm::server
