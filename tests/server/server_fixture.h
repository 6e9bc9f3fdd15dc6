// A Server with a FakeEngine behind it, on a free loopback port.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "server/fake_engine.h"
#include "server/server.h"
#include "server/test_client.h"

namespace llm::server {

/// True once `condition` holds; false after half a minute.
inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

inline std::string job_path(const std::string& id) { return fmt::format("/v1/jobs/{}", id); }

inline std::string stream_path(const std::string& id, std::string_view query = "") {
  return fmt::format("/v1/jobs/{}/stream{}", id, query);
}

class ServerFixture : public ::testing::Test {
 protected:
  /// Starts the server; `with_engine` false leaves the model loading.
  void start(ServerOptions options = {}, FakeEngineOptions engine_options = {},
             bool with_engine = true) {
    engine = std::make_shared<FakeEngine>(engine_options);
    engine->chat = chat;
    engine->token_text = token_text;
    options.port = 0;
    auto started = Server::start(std::move(options));
    ASSERT_TRUE(started.has_value()) << started.error().message();
    server = std::move(started).value();
    if (with_engine) server->set_engine(engine);
  }

  TestReply get(std::string_view path, std::string_view headers = "") {
    return request(server->port(), "GET", path, "", headers);
  }
  TestReply post(std::string_view path, std::string_view body, std::string_view headers = "") {
    return request(server->port(), "POST", path, body, headers);
  }
  /// Posts an infer job with more members, e.g. `"max_tokens":3`; its id, or "" with a failure.
  std::string post_job(std::string_view members = "\"max_tokens\":3") {
    const TestReply reply =
        post("/v1/jobs", fmt::format(R"({{"operation":"infer","prompt":"hello",{}}})", members));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.status == 200 ? reply.json()["job_id"].get<std::string>() : "";
  }
  /// As post_job, but waits for a free place: an ended job gives its own back a moment later.
  std::string post_job_when_free(std::string_view members) {
    const std::string body = fmt::format(R"({{"operation":"infer","prompt":"hello",{}}})", members);
    std::string id;
    EXPECT_TRUE(eventually([&] {
      const TestReply reply = post("/v1/jobs", body);
      if (reply.status == 200) id = reply.json()["job_id"].get<std::string>();
      return reply.status != 429;
    }));
    EXPECT_NE(id, "");
    return id;
  }
  std::vector<core::Json> stream(const std::string& id, std::string_view query = "") {
    return events_of(get(stream_path(id, query)).body);
  }
  std::string state_of(const std::string& id) {
    return get(job_path(id)).json().value("state", "");
  }

  /// The engine's chat template; set before start().
  std::function<Result<RenderedChat>(const ChatRequest&)> chat;
  /// FakeEngine::token_text; set before start().
  std::function<std::string(std::int64_t)> token_text;
  std::shared_ptr<FakeEngine> engine;
  std::unique_ptr<Server> server;
};

}  // namespace llm::server
