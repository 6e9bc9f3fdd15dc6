// What the worker does with requests that are too large, too slow, malformed, unauthorised, or at
// the wrong address.
#include <gtest/gtest.h>

#include <random>

#include "server/server_fixture.h"

namespace llm::server {
namespace {

using core::Json;

class Limits : public ServerFixture {};

const std::string kJob = R"({"operation":"infer","prompt":"p","max_tokens":1})";

TEST_F(Limits, OnlyJsonBodiesAreTaken) {
  start();
  EXPECT_EQ(post("/v1/jobs", kJob, "Content-Type: text/plain\r\n").status, 415);
  EXPECT_EQ(post("/v1/jobs", kJob, "Content-Type: application/jsonx\r\n").status, 415);
  EXPECT_EQ(post("/v1/jobs", kJob, "Content-Type: Application/JSON; charset=utf-8\r\n").status,
            200);
  EXPECT_EQ(post("/v1/jobs", kJob, "Content-Encoding: gzip\r\n").status, 415);
  TestConnection none(server->port());
  none.send("POST /v1/jobs HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(none.read_reply().status, 415);
}

TEST_F(Limits, ABodyOverTheLimitIs413WhateverItsFraming) {
  ServerOptions options;
  options.http.body_bytes = 1000;
  start(options);
  const std::string large(1001, ' ');
  TestReply reply = post("/v1/jobs", large);
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.json()["error"]["code"], "PAYLOAD_TOO_LARGE");
  EXPECT_NE(reply.header("x-request-id"), "");
  EXPECT_EQ(reply.header("connection"), "close");
  EXPECT_EQ(post("/v1/jobs", kJob + std::string(1000 - kJob.size(), ' ')).status, 200);

  TestConnection chunked(server->port());
  chunked.send(
      "POST /v1/jobs HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  chunked.send("3e9\r\n" + large + "\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.read_reply().status, 413);
}

TEST_F(Limits, TheReplyToAHugeBodyIsNotLostInAReset) {
  start();
  TestConnection connection(server->port());
  const std::string head =
      "POST /v1/jobs HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
      "Content-Length: 6000000\r\n\r\n";
  connection.send(head);
  connection.send(std::string(6000000, ' '));
  EXPECT_EQ(connection.read_reply().status, 413);
}

TEST_F(Limits, ABodyOfExactlyFourMebibytesIsRead) {
  start();
  const std::size_t limit = std::size_t{4} << 20U;
  const TestReply reply = post("/v1/jobs", kJob + std::string(limit - kJob.size(), ' '));
  EXPECT_EQ(reply.status, 200) << reply.body;
}

TEST_F(Limits, AChunkedBodyIsUnderstood) {
  start();
  TestConnection connection(server->port());
  connection.send(
      "POST /v1/jobs HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  for (const char c : kJob) connection.send(std::string("1\r\n") + c + "\r\n");
  connection.send("0\r\n\r\n");
  EXPECT_EQ(connection.read_reply().status, 200);
}

TEST_F(Limits, ExpectContinueIsAnswered) {
  start();
  TestConnection connection(server->port());
  connection.send(
      "POST /v1/jobs HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
      "Expect: 100-continue\r\nContent-Length: " +
      std::to_string(kJob.size()) + "\r\n\r\n");
  EXPECT_EQ(connection.read_head().status, 100);
  connection.send(kJob);
  EXPECT_EQ(connection.read_reply().status, 200);
}

TEST_F(Limits, OversizedHeadersAre431) {
  start();
  const TestReply reply = get("/health", "X-Long: " + std::string(20000, 'x') + "\r\n");
  EXPECT_EQ(reply.status, 431);
  EXPECT_EQ(reply.json()["error"]["code"], "HEADERS_TOO_LARGE");
}

TEST_F(Limits, MalformedJsonIs400) {
  start();
  for (const char* body : {"", "{", "[1]", "nul", "{\"operation\":\"infer\",}"}) {
    const TestReply reply = post("/v1/jobs", body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.json()["error"]["code"], "INVALID_REQUEST") << body;
  }
  EXPECT_EQ(post("/v1/jobs", std::string(100000, '[')).status, 400) << "nesting is bounded";
}

TEST_F(Limits, UnknownRoutesAre404AndWrongMethods405) {
  start();
  for (const char* path :
       {"/index.html", "/v1", "/v1/", "/v1/jobs/", "/v1/jobs//stream", "/v1/audio/speech"}) {
    const TestReply reply = get(path);
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_EQ(reply.json()["error"]["code"], "NOT_FOUND") << path;
  }
  TestReply reply = request(server->port(), "PUT", "/v1/jobs", "{}");
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.header("allow"), "POST, GET, HEAD, OPTIONS");
  EXPECT_EQ(get("/tokenize").status, 405);
  EXPECT_EQ(get("/v1/chat/completions").status, 405);
  EXPECT_EQ(post("/health", "{}").status, 405);
  EXPECT_EQ(request(server->port(), "HEAD", "/v1/jobs/x/stream").status, 405);
}

TEST_F(Limits, BodiesAreRefusedWhereNoneBelongs) {
  start();
  EXPECT_EQ(request(server->port(), "DELETE", "/v1/jobs/x", "{}").status, 400);
}

TEST_F(Limits, TheRequestIdIsEchoedOrMade) {
  start();
  EXPECT_EQ(get("/health", "X-Request-Id: abc-1\r\n").header("x-request-id"), "abc-1");
  const std::string made = get("/health").header("x-request-id");
  EXPECT_EQ(made.size(), 36U);
  EXPECT_NE(get("/health").header("x-request-id"), made);
  EXPECT_EQ(get("/health", "X-Request-Id: a b\r\n").header("x-request-id").size(), 36U);
  EXPECT_EQ(get("/nothing", "X-Request-Id: abc-1\r\n").header("x-request-id"), "abc-1");
  EXPECT_EQ(get(stream_path(post_job()), "X-Request-Id: s\r\n").header("x-request-id"), "s");
}

TEST_F(Limits, TheKeyIsAskedForEverywhereButOnPublicRoutes) {
  ServerOptions options;
  options.api_key = "secret-key";
  start(options);
  for (const char* path : {"/health", "/v1/ready", "/v1/loading/progress"}) {
    EXPECT_EQ(get(path).status, 200) << path;
  }
  for (const char* path : {"/v1/jobs", "/v1/model", "/v1/jobs/x", "/v1/jobs/x/stream"}) {
    const TestReply reply = get(path);
    EXPECT_EQ(reply.status, 401) << path;
    EXPECT_EQ(reply.json(),
              Json::parse(R"({"error":{"code":"MISSING_API_KEY","message":"Missing API key"}})"));
  }
  EXPECT_EQ(post("/tokenize", "{}").status, 401);
  EXPECT_EQ(post("/v1/jobs", kJob).status, 401);
  const Json invalid =
      Json::parse(R"({"error":{"code":"INVALID_API_KEY","message":"Invalid or missing API key"}})");
  for (const char* header :
       {"Authorization: Bearer wrong\r\n", "Authorization: Bearer secret-ke\r\n",
        "Authorization: Bearer secret-keysecret-key\r\n", "Authorization: Basic secret-key\r\n",
        "Authorization: secret-key\r\n", "x-api-key: secret-kez\r\n"}) {
    const TestReply reply = get("/v1/jobs", header);
    EXPECT_EQ(reply.status, 401) << header;
    EXPECT_EQ(reply.json(), invalid) << header;
  }
  EXPECT_EQ(get("/v1/jobs", "Authorization: Bearer secret-key\r\n").status, 200);
  EXPECT_EQ(get("/v1/jobs", "authorization: bearer secret-key\r\n").status, 200);
  EXPECT_EQ(get("/v1/jobs", "x-api-key: secret-key\r\n").status, 200);
}

TEST_F(Limits, WithoutAKeyOnlyLoopbackIsServed) {
  ServerOptions options;
  options.host = "0.0.0.0";
  options.port = 0;
  const auto refused = Server::start(options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message().find("loopback"), std::string::npos);
  options.api_key = "k";
  EXPECT_TRUE(Server::start(options).has_value());
}

TEST_F(Limits, APortInUseIsAClearError) {
  start();
  ServerOptions options;
  options.port = server->port();
  const auto refused = Server::start(options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message(),
            "port " + std::to_string(options.port) + " of 127.0.0.1 is already in use");
}

TEST_F(Limits, CorsHeadersAreForAllowedOriginsOnly) {
  ServerOptions options;
  options.cors_origins = {"https://ui.example"};
  options.api_key = "k";
  start(options);
  TestReply reply =
      request(server->port(), "OPTIONS", "/v1/jobs", "", "Origin: https://ui.example\r\n");
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.header("access-control-allow-origin"), "https://ui.example");
  EXPECT_NE(reply.header("access-control-allow-headers").find("Authorization"), std::string::npos);
  // The OpenAI package sends a dozen headers of its own.
  const std::string asks = "Access-Control-Request-Headers: ";
  const auto allowed = [&](const std::string& line) {
    return request(server->port(), "OPTIONS", "/v1/chat/completions", "",
                   "Origin: https://ui.example\r\n" + line)
        .header("access-control-allow-headers");
  };
  EXPECT_EQ(allowed(asks + "authorization, x-stainless-os\r\n"), "authorization, x-stainless-os");
  EXPECT_NE(allowed(asks + "x\"y\r\n").find("Authorization"), std::string::npos);
  EXPECT_EQ(get("/health", "Origin: https://ui.example\r\n").header("access-control-allow-origin"),
            "https://ui.example");
  reply = request(server->port(), "OPTIONS", "/v1/jobs", "", "Origin: https://evil.example\r\n");
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.header("access-control-allow-origin"), "");
  EXPECT_EQ(request(server->port(), "OPTIONS", "*").status, 204);
}

TEST_F(Limits, NoCorsHeadersUnlessAskedFor) {
  start();
  EXPECT_EQ(get("/health", "Origin: https://ui.example\r\n").header("access-control-allow-origin"),
            "");
}

TEST_F(Limits, ConnectionsAreKeptAndRequestsMayBePipelined) {
  start();
  TestConnection connection(server->port());
  connection.send(make_request("GET", "/health") + make_request("GET", "/v1/ready"));
  EXPECT_EQ(connection.read_reply().json()["status"], "healthy");
  EXPECT_EQ(connection.read_reply().json()["ready"], true);
  connection.send(make_request("HEAD", "/health"));
  EXPECT_EQ(connection.read_reply(true).status, 200);
  connection.send(make_request("GET", "/health", "", "Connection: close\r\n"));
  EXPECT_EQ(connection.read_reply().status, 200);
  EXPECT_TRUE(connection.closed_by_peer(5000));
}

TEST_F(Limits, AConnectionServesOnAfterAStream) {
  start();
  const std::string id = post_job();
  TestConnection connection(server->port());
  for (int round = 0; round < 3; ++round) {
    connection.send(make_request("GET", stream_path(id)));
    EXPECT_EQ(events_of(connection.read_reply().body).size(), 6U);
  }
  connection.send(make_request("GET", stream_path(id)) + make_request("GET", "/health"));
  EXPECT_EQ(events_of(connection.read_reply().body).size(), 6U);
  EXPECT_EQ(connection.read_reply().json()["status"], "healthy");
}

TEST_F(Limits, Http10ClientsGetAnUnframedStream) {
  start();
  const std::string id = post_job();
  TestConnection connection(server->port());
  connection.send(fmt::format("GET {} HTTP/1.0\r\n\r\n", stream_path(id)));
  const TestReply reply = connection.read_reply();
  EXPECT_EQ(reply.header("transfer-encoding"), "");
  EXPECT_EQ(events_of(reply.body).size(), 6U);
}

TEST_F(Limits, AMissingHostIs400) {
  start();
  TestConnection connection(server->port());
  connection.send("GET /health HTTP/1.1\r\n\r\n");
  EXPECT_EQ(connection.read_reply().status, 400);
}

TEST_F(Limits, IdleAndSlowRequestsAreGivenUp) {
  ServerOptions options;
  options.http.read_timeout = std::chrono::milliseconds(100);
  start(options);
  TestConnection idle(server->port());
  EXPECT_TRUE(idle.closed_by_peer(5000)) << "idle connections go without a word";
  TestConnection slow_header(server->port());
  slow_header.send("GET /health HT");
  EXPECT_EQ(slow_header.read_reply().status, 408);
  TestConnection slow_body(server->port());
  slow_body.send(
      "POST /v1/jobs HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
      "Content-Length: 100\r\n\r\n{");
  EXPECT_EQ(slow_body.read_reply().status, 408);
}

TEST_F(Limits, AReaderThatTakesNothingIsDroppedAndItsJobCancelled) {
  ServerOptions options;
  options.http.write_timeout = std::chrono::milliseconds(200);
  // The sockets' buffers, a few megabytes, are full after some dozen tokens; the job goes on for
  // much longer.
  start(options, {.context = 4096,
                  .token_time = std::chrono::milliseconds(20),
                  .token_padding = std::size_t{128} << 10U});
  const std::string id = post_job("\"max_tokens\":2048");
  TestConnection reader(server->port());
  reader.set_receive_buffer(4096);
  reader.send(make_request("GET", stream_path(id)));
  EXPECT_TRUE(eventually([&] { return engine->cancelled() == 1; }));
  EXPECT_EQ(get("/v1/jobs").json()["jobs"][0]["state"], "cancelled");
}

TEST_F(Limits, ConnectionsBeyondTheLimitAreTurnedAwayAndPlacesComeBack) {
  ServerOptions options;
  options.http.connections = 3;
  start(options);
  {
    std::vector<std::unique_ptr<TestConnection>> kept;
    for (int n = 0; n < 3; ++n) {
      kept.push_back(std::make_unique<TestConnection>(server->port()));
      kept.back()->send(make_request("GET", "/health"));
      EXPECT_EQ(kept.back()->read_reply().status, 200);
    }
    TestConnection extra(server->port());
    const TestReply reply = extra.read_reply();
    EXPECT_EQ(reply.status, 503);
    EXPECT_EQ(reply.header("retry-after"), "1");
  }
  EXPECT_TRUE(eventually([&] { return get("/health").status == 200; }));
}

TEST_F(Limits, AClientThatOnlyCloseItsSendingSideCountsAsGone) {
  start({}, {.context = 1000000, .token_time = std::chrono::milliseconds(1)});
  const std::string id = post_job("\"max_tokens\":2048");
  TestConnection reader(server->port());
  reader.send(make_request("GET", stream_path(id)));
  reader.read_head();
  reader.shutdown_send();
  EXPECT_TRUE(eventually([&] { return state_of(id) == "cancelled"; }));
}

TEST_F(Limits, SmugglingAttemptsAreRefused) {
  start();
  for (const char* headers :
       {"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n", "Content-Length: -2\r\n",
        "Content-Length: 2x\r\n", "Content-Length: 99999999999999999999999\r\n"}) {
    TestConnection connection(server->port());
    connection.send(std::string("POST /v1/jobs HTTP/1.1\r\nHost: t\r\n"
                                "Content-Type: application/json\r\n") +
                    headers + "\r\n{}");
    EXPECT_EQ(connection.read_reply().status, 400) << headers;
  }
}

// Seeded damage to valid requests: whatever arrives, the reply is none or below 500, and the worker
// serves on.
TEST_F(Limits, MutatedRequestsNeverHarmTheWorker) {
  ServerOptions options;
  options.http.read_timeout = std::chrono::milliseconds(30);
  start(options);
  const std::vector<std::string> seeds = {
      make_request("POST", "/v1/jobs", kJob),
      make_request("GET", "/v1/jobs/job-1/stream?from=3"),
      make_request("POST", "/tokenize", R"({"content":"hello","add_special":true})"),
      make_request("DELETE", "/v1/jobs/job-1"),
      make_request("POST", "/v1/completions",
                   R"({"prompt":["a",[1,2]],"n":2,"max_tokens":3,"stream":true,"echo":true})"),
      make_request("GET", "/v1/models/a%2Fb"),
      make_request("GET", "/metrics"),
      "POST /v1/inference HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"pro\r\n9\r\nmpt\":\"x\"}\r\n0\r\n\r\n"};
  std::mt19937 random(12345);
  const auto pick = [&](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  };
  for (int round = 0; round < 10000; ++round) {
    std::string text = seeds[pick(seeds.size())];
    for (std::size_t damage = 1 + pick(6); damage > 0 && !text.empty(); --damage) {
      const std::size_t at = pick(text.size());
      switch (pick(5)) {
        case 0:
          text[at] = static_cast<char>(pick(256));
          break;
        case 1:
          text.erase(at, 1 + pick(8));
          break;
        case 2:
          text.insert(at, text.substr(pick(text.size()), pick(32)));
          break;
        case 3:
          text.insert(at, std::string(1 + pick(3), static_cast<char>(pick(256))));
          break;
        default:
          text.resize(at + 1);
          break;
      }
    }
    TestConnection connection(server->port());
    ASSERT_TRUE(connection.connected());
    connection.send(text);
    connection.shutdown_send();
    const TestReply reply = connection.read_head();
    EXPECT_LT(reply.status, 500) << text;
  }
  EXPECT_EQ(get("/health").status, 200);
  EXPECT_NE(post_job(), "");
}

}  // namespace
}  // namespace llm::server
