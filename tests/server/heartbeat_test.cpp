// What a hive or queen hears of a worker: when, what, and that nothing of it disturbs serving.
#include <gtest/gtest.h>

#include <regex>

#include "core/error.h"
#include "core/log.h"
#include "server/hive.h"
#include "server/server_fixture.h"

namespace llm::server {
namespace {

using core::Json;

class Heartbeats : public ServerFixture {};

TEST_F(Heartbeats, TheHeartbeatComesAtOnceAndRegularly) {
  Hive hive(200);
  ServerOptions options;
  options.heartbeat = {.url = hive.url(),
                       .worker_id = "w-1",
                       .device = "cpu:0",
                       .interval = std::chrono::milliseconds(40)};
  options.version = "1.2.3";
  options.model_name = "hf:x/y";
  start(options, {}, false);
  ASSERT_TRUE(eventually([&] { return !hive.requests().empty(); }));
  const std::string first = hive.requests()[0];
  EXPECT_EQ(first.find("POST /base/v1/worker-heartbeat HTTP/1.1\r\n"), 0U) << first;
  const Json body = Json::parse(first.substr(first.find("\r\n\r\n") + 4));
  EXPECT_EQ(body["worker"], Json({{"id", "w-1"},
                                  {"model_id", "hf:x/y"},
                                  {"device", "cpu:0"},
                                  {"port", server->port()},
                                  {"status", "starting"},
                                  {"implementation", "llm-worker"},
                                  {"version", "1.2.3"}}));
  EXPECT_TRUE(std::regex_match(body["timestamp"].get<std::string>(),
                               std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")));
  EXPECT_EQ(body.size(), 2U);
  server->set_engine(engine);
  const auto saw = [&](const std::string& status) {
    return eventually([&] {
      const auto requests = hive.requests();
      return !requests.empty() &&
             requests.back().find("\"status\":\"" + status + "\"") != std::string::npos;
    });
  };
  EXPECT_TRUE(saw("ready"));
  engine->hold();
  post_job();
  EXPECT_TRUE(saw("busy"));
  engine->release();
  EXPECT_TRUE(saw("ready"));
}

TEST_F(Heartbeats, AWorkerThatStopsSaysSoBeforeAndAfter) {
  Hive hive(200);
  ServerOptions options;
  options.heartbeat = {.url = hive.url(), .worker_id = "w"};
  start(options);
  ASSERT_TRUE(eventually([&] { return !hive.requests().empty(); }));
  engine->hold();
  post_job();
  std::thread drain([&] { server->drain(std::chrono::seconds(30)); });
  const auto last = [&] { return hive.heartbeats().back()["worker"]["status"]; };
  EXPECT_TRUE(eventually([&] { return last() == "stopping"; }));
  engine->release();
  drain.join();
  EXPECT_TRUE(eventually([&] { return last() == "stopped"; }));
}

TEST_F(Heartbeats, AWorkerWhoseModelFailedSaysThatItStopped) {
  Hive hive(200);
  ServerOptions options;
  options.heartbeat = {.url = hive.url(), .worker_id = "w"};
  start(options, {}, false);
  ASSERT_TRUE(eventually([&] { return !hive.requests().empty(); }));
  EXPECT_EQ(hive.heartbeats()[0]["worker"]["status"], "starting");
  server->set_failed(core::corrupt_data("no header"));
  server->drain(std::chrono::seconds(0));
  EXPECT_TRUE(
      eventually([&] { return hive.heartbeats().back()["worker"]["status"] == "stopped"; }));
}

TEST_F(Heartbeats, ComeOneAfterTheOther) {
  Hive hive(200, std::chrono::milliseconds(300));
  ServerOptions options;
  options.heartbeat = {.url = hive.url(), .worker_id = "w"};
  start(options);  // the first, and another one because the model is ready
  ASSERT_TRUE(eventually([&] { return hive.requests().size() == 2; }));
  EXPECT_EQ(hive.overlapping(), 0);
  EXPECT_EQ(hive.heartbeats()[1]["worker"]["status"], "ready");
}

TEST(HeartbeatOptions, ComeEveryThirtySecondsUnlessToldOtherwise) {
  EXPECT_EQ(HeartbeatOptions().interval, std::chrono::seconds(30));
  EXPECT_EQ(HeartbeatOptions().device, "cpu:0");
}

TEST_F(Heartbeats, AHiveWithoutHeartbeatRouteIsLoggedOnceAndServingGoesOn) {
  std::atomic<int> lines = 0;
  set_log_sink([&](core::LogLevel, std::string_view line) {
    if (line.find("(404)") != std::string_view::npos) ++lines;
  });
  {
    Hive hive(404);
    ServerOptions options;
    options.heartbeat = {
        .url = hive.url(), .worker_id = "w", .interval = std::chrono::milliseconds(10)};
    start(options);
    ASSERT_TRUE(eventually([&] { return hive.requests().size() > 3; }));
    EXPECT_EQ(stream(post_job()).size(), 6U);
    server.reset();
  }
  set_log_sink({});
  EXPECT_EQ(lines, 1);
}

TEST_F(Heartbeats, AHiveThatIsNotThereDisturbsNothing) {
  ServerOptions options;
  options.heartbeat = {
      .url = "http://127.0.0.1:9", .worker_id = "w", .interval = std::chrono::milliseconds(5)};
  start(options);
  EXPECT_EQ(stream(post_job()).size(), 6U);
  options.heartbeat.url = "https://hive";
  options.port = 0;
  EXPECT_FALSE(Server::start(options).has_value());
}

}  // namespace
}  // namespace llm::server
