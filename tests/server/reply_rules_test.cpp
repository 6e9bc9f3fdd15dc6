// The rules that hold for every route: request ids, media type, strictness, numbers that JSON
// lacks, headers for browsers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "core/error.h"
#include "core/log.h"
#include "server/server_fixture.h"

namespace llm::server {
namespace {

using core::Json;

class ReplyRules : public ServerFixture {
 protected:
  ReplyRules() {
    chat = [](const ChatRequest&) -> Result<RenderedChat> {
      return RenderedChat{.prompt = "<hi>", .unused_kwargs = {}};
    };
  }
};

// Bodies that are right, of every route that takes one.
const std::vector<std::pair<std::string, std::string>> kBodies = {
    {"/v1/jobs", R"({"operation":"infer","prompt":"p")"},
    {"/v1/inference", R"({"prompt":"p")"},
    {"/v1/chat/completions", R"({"messages":[{"role":"user","content":"hi"}])"},
    {"/chat/completions", R"({"messages":[{"role":"user","content":"hi"}])"},
    {"/v1/completions", R"({"prompt":"p")"},
    {"/completions", R"({"prompt":"p")"},
    {"/tokenize", R"({"content":"p")"},
    {"/detokenize", R"({"tokens":[97])"},
    {"/apply-template", R"({"messages":[{"role":"user","content":"hi"}])"},
};

TEST_F(ReplyRules, EveryReplyCarriesTheCallersRequestId) {
  ServerOptions options;
  options.api_key = "k";
  options.http.body_bytes = 1000;
  start(options, {.context = 64, .max_sequences = 1, .max_queue = 0});
  const std::string key = "x-api-key: k\r\n";
  const std::string mine = "X-Request-Id: mine-1\r\n";
  const auto has_mine = [&](const TestReply& reply, int status) {
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_EQ(reply.header("x-request-id"), "mine-1") << status;
  };
  const std::string job = R"({"operation":"infer","prompt":"p","max_tokens":1})";
  const auto send = [&](std::string_view method, std::string_view path, std::string_view body,
                        const std::string& headers) {
    return request(server->port(), method, path, body, mine + headers);
  };
  has_mine(send("GET", "/health", "", ""), 200);
  has_mine(send("HEAD", "/health", "", ""), 200);
  has_mine(send("OPTIONS", "/v1/jobs", "", ""), 204);
  has_mine(send("POST", "/v1/jobs", "{", key), 400);
  has_mine(send("POST", "/v1/jobs", job, ""), 401);
  has_mine(send("GET", "/nowhere", "", ""), 404);
  has_mine(send("PUT", "/v1/jobs", "{}", key), 405);
  has_mine(send("POST", "/v1/jobs", std::string(1001, ' '), key), 413);
  has_mine(send("POST", "/v1/jobs", job, key + "Content-Type: text/plain\r\n"), 415);
  const TestReply accepted = send("POST", "/v1/jobs", job, key);
  has_mine(accepted, 200);
  has_mine(send("GET", stream_path(accepted.json()["job_id"]), "", key), 200);
  const std::string chat_path = "/v1/chat/completions";
  const std::string chat_body = R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":1)";
  ASSERT_TRUE(eventually([&] { return engine->stats().running + engine->stats().waiting == 0; }));
  has_mine(send("POST", chat_path, chat_body + "}", key), 200);
  ASSERT_TRUE(eventually([&] { return engine->stats().running + engine->stats().waiting == 0; }));
  has_mine(send("POST", chat_path, chat_body + ",\"stream\":true}", key), 200);
  ASSERT_TRUE(eventually([&] { return engine->stats().running + engine->stats().waiting == 0; }));

  engine->hold();
  send("POST", "/v1/jobs", job, key);
  has_mine(send("POST", "/v1/jobs", job, key), 429);
  engine->release();
  ASSERT_TRUE(eventually([&] { return engine->stats().running + engine->stats().waiting == 0; }));
  engine->fail_after(0, core::internal_error("a step failed"));
  has_mine(send("POST", chat_path, chat_body + "}", key), 500);

  options.http.read_timeout = std::chrono::milliseconds(300);
  start(options);
  TestConnection slow(server->port());
  const std::string whole = make_request("POST", "/v1/jobs", job, mine + key);
  slow.send(whole.substr(0, whole.size() - 5));
  has_mine(slow.read_reply(), 408);
}

TEST_F(ReplyRules, AReplyToWhatWasNotUnderstoodHasANewRequestId) {
  ServerOptions options;
  options.http.connections = 4;
  start(options, {}, false);
  EXPECT_EQ(get("/v1/model").header("x-request-id").size(), 36U) << "503";
  TestConnection garbled(server->port());
  garbled.send("GET /health HTTP/1.1\r\nno colon\r\n\r\n");
  TestReply reply = garbled.read_reply();
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.header("x-request-id").size(), 36U);
  reply = get("/health", "X-Long: " + std::string(20000, 'x') + "\r\n");
  EXPECT_EQ(reply.status, 431);
  EXPECT_EQ(reply.header("x-request-id").size(), 36U);

  std::vector<std::unique_ptr<TestConnection>> kept;
  ASSERT_TRUE(eventually([&] {
    kept.push_back(std::make_unique<TestConnection>(server->port()));
    kept.back()->send(make_request("GET", "/health"));
    reply = kept.back()->read_reply();
    return reply.status == 503;
  }));
  EXPECT_EQ(reply.header("x-request-id").size(), 36U) << "beyond the limit of connections";
}

TEST_F(ReplyRules, EveryLogLineOfARequestHasItsId) {
  std::mutex mutex;
  std::vector<std::string> lines;
  set_log_sink([&](core::LogLevel, std::string_view line) {
    const std::lock_guard lock(mutex);
    lines.emplace_back(line);
  });
  start();
  const auto ask = [&](std::string_view id, std::string_view path, std::string_view body) {
    return post(path, body, fmt::format("x-request-id: {}\r\n", id));
  };
  const std::string job =
      ask("of-job", "/v1/jobs", R"({"operation":"infer","prompt":"p","max_tokens":2})")
          .json()["job_id"];
  get(stream_path(job), "x-request-id: of-job\r\n");
  request(server->port(), "DELETE", job_path(job), "", "x-request-id: of-job\r\n");
  const std::string completion =
      ask("of-text", "/v1/completions", R"({"prompt":"p","max_tokens":2})").json()["id"];
  engine->fail_after(0, core::internal_error("no page is left"));
  const std::string failed =
      ask("of-failure", "/v1/jobs", R"({"operation":"infer","prompt":"p"})").json()["job_id"];
  get(stream_path(failed), "x-request-id: of-failure\r\n");
  // A request is logged after its reply is sent.
  const auto lines_with = [&](const std::string& text) {
    const std::lock_guard lock(mutex);
    return std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  };
  EXPECT_TRUE(eventually([&] { return lines_with(job) >= 4; }))
      << "accepted, ended, streamed, deleted";
  EXPECT_TRUE(eventually([&] { return lines_with(completion) >= 2; })) << "accepted, ended";
  EXPECT_TRUE(eventually([&] { return lines_with(failed) >= 3; })) << "accepted, ended, streamed";
  server.reset();
  set_log_sink({});

  bool reason_logged = false;
  const std::vector<std::pair<std::string, std::string>> subjects = {
      {job, "of-job"}, {completion, "of-text"}, {failed, "of-failure"}};
  for (const std::string& line : lines) {
    for (const auto& [subject, id] : subjects) {
      if (line.find(subject) == std::string::npos) continue;
      EXPECT_EQ(line.find(fmt::format("request_id={} ", id)), 0U) << line;
    }
    reason_logged |= line.find("no page is left") != std::string::npos;
  }
  EXPECT_TRUE(reason_logged) << "why a job failed is in the log";
}

TEST_F(ReplyRules, OnlyJsonIsTakenByEveryRoute) {
  start();
  for (const auto& [path, body] : kBodies) {
    EXPECT_EQ(post(path, body + "}", "Content-Type: text/plain\r\n").status, 415) << path;
    EXPECT_EQ(post(path, body).status, 400) << path << ": the last brace is missing";
    for (const char* const number : {"NaN", "Infinity", "-Infinity", "1e999", "nan"}) {
      EXPECT_EQ(post(path, body + ",\"temperature\":" + number + "}").status, 400)
          << path << " " << number;
    }
  }
}

TEST_F(ReplyRules, UnknownFieldsAreListedAndStrictRefusesThemOnEveryRoute) {
  start();
  for (const auto& [path, body] : kBodies) {
    const TestReply reply = post(path, body + ",\"colour\":1}");
    EXPECT_EQ(reply.status, 200) << path << reply.body;
    Json seen = reply.json();
    if (seen.contains("job_id")) seen = stream(seen["job_id"])[0];
    EXPECT_EQ(seen.value("ignored", Json()), Json::array({"colour"})) << path;
    const TestReply strict = post(path, body + ",\"colour\":1}", "X-Strict: 1\r\n");
    EXPECT_EQ(strict.status, 400) << path;
    EXPECT_NE(strict.body.find("colour is not a known field"), std::string::npos) << strict.body;
    EXPECT_EQ(post(path, body + "}", "X-Strict: 1\r\n").status, 200) << path;
  }
}

TEST_F(ReplyRules, ABodyOfOneByteMoreThanFourMebibytesIs413) {
  start();
  const std::string body = R"({"operation":"infer","prompt":"p"})";
  const std::size_t limit = std::size_t{4} << 20U;
  EXPECT_EQ(post("/v1/jobs", body + std::string(limit + 1 - body.size(), ' ')).status, 413);
}

TEST_F(ReplyRules, PagesOfAllowedOriginsMayReadErrorsAndStreamsToo) {
  ServerOptions options;
  options.cors_origins = {"*"};
  options.api_key = "k";
  start(options);
  const std::string origin = "Origin: https://ui.example\r\n";
  const auto allowed = [](const TestReply& reply) {
    return reply.header("access-control-allow-origin");
  };
  const TestReply refused = get("/v1/jobs", origin);
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(allowed(refused), "https://ui.example");
  EXPECT_EQ(allowed(get("/nowhere", origin)), "https://ui.example");
  const TestReply stream = post("/v1/completions", R"({"prompt":"p","max_tokens":1,"stream":true})",
                                origin + "x-api-key: k\r\n");
  EXPECT_EQ(stream.status, 200);
  EXPECT_EQ(allowed(stream), "https://ui.example");
  EXPECT_NE(stream.header("access-control-expose-headers").find("x-request-id"), std::string::npos);
  EXPECT_EQ(allowed(get("/health")), "") << "no page asks";
}

TEST_F(ReplyRules, TheRoutesOfTheTableThatNeedTheKey) {
  ServerOptions options;
  options.api_key = "k";
  start(options);
  for (const char* const path : {"/health", "/v1/ready", "/v1/loading/progress"}) {
    EXPECT_EQ(get(path).status, 200) << path;
  }
  for (const char* const path : {"/v1/model", "/metrics", "/v1/jobs", "/v1/models", "/models",
                                 "/v1/models/fake", "/v1/jobs/x", "/v1/jobs/x/stream"}) {
    EXPECT_EQ(get(path).status, 401) << path;
    EXPECT_NE(get(path, "Authorization: Bearer k\r\n").status, 401) << path;
  }
  for (const auto& [path, body] : kBodies) {
    EXPECT_EQ(post(path, body + "}").status, 401) << path;
    EXPECT_EQ(post(path, body + "}", "Authorization: Bearer k\r\n").status, 200) << path;
  }
  EXPECT_EQ(post("/v1/embeddings", "{}").status, 401);
  EXPECT_EQ(request(server->port(), "DELETE", "/v1/jobs/x").status, 401);
}

TEST_F(ReplyRules, EveryOutcomeIsCounted) {
  start({}, {.script_tokens = 5});
  const auto metric = [&](std::string_view outcome) {
    const std::string name = fmt::format("\nllm_worker_requests_total{{outcome=\"{}\"}} ", outcome);
    const std::string text = get("/metrics").body;
    const std::size_t at = text.find(name);
    EXPECT_NE(at, std::string::npos) << outcome;
    return at == std::string::npos ? -1 : std::stoi(text.substr(at + name.size()));
  };
  // As many of each kind as of no other.
  for (int n = 0; n < 3; ++n) stream(post_job("\"max_tokens\":9"));
  for (int n = 0; n < 2; ++n) stream(post_job("\"max_tokens\":1"));
  engine->hold();
  request(server->port(), "DELETE", job_path(post_job()));
  engine->release();
  EXPECT_TRUE(eventually([&] { return metric("cancelled") == 1; }));
  for (int n = 0; n < 4; ++n) {
    engine->fail_after(0, core::internal_error("x"));
    stream(post_job());
  }
  EXPECT_TRUE(eventually([&] { return metric("error") == 4; }));
  EXPECT_EQ(metric("eos"), 3);
  EXPECT_EQ(metric("max_tokens"), 2);
  EXPECT_EQ(metric("cancelled"), 1);
  EXPECT_EQ(metric("stop_sequence"), 0);
}

TEST_F(ReplyRules, TheMemoryPlanIsDescribedInBytes) {
  start();
  const Json memory = get("/v1/model").json()["memory"];
  EXPECT_EQ(memory["weights_bytes"], 4000);
  EXPECT_EQ(memory["kv_bytes_per_token"], 48);
  EXPECT_EQ(memory["kv_cache_bytes"], 64);
  EXPECT_EQ(memory["scratch_bytes"], 32);
}

}  // namespace
}  // namespace llm::server
