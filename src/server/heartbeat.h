// Heartbeat: tells the hive or queen that this worker exists: at once, at an interval, and when its
// state changes. Failures are logged once per kind and never disturb serving. Lives on the network
// thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/server_options.h"
#include "server/url.h"

namespace llm::server {

class Heartbeat {
 public:
  /// What is said of the worker at the moment of sending.
  struct Report {
    std::string status;  ///< starting, ready, busy, stopping, stopped
    std::string model_id;
  };

  Heartbeat(boost::asio::io_context& io, HeartbeatOptions options, std::string version,
            std::uint16_t port, std::function<Report()> report);

  /// Sends now and again at every interval. Nothing happens without a URL.
  void start();
  /// Sends as soon as the one under way is over, out of turn; `done` is called when that is over,
  /// whatever came of it.
  void send(std::function<void()> done = {});
  void stop();

 private:
  void schedule();
  void send_next();
  void on_result(const Result<int>& http_status);

  boost::asio::io_context& io_;
  const HeartbeatOptions options_;
  const std::string version_;
  const std::uint16_t port_;
  const std::function<Report()> report_;
  boost::asio::steady_timer timer_;
  std::string last_problem_;
  bool sending_ = false;
  bool wanted_ = false;                         // another one, when the one under way is over
  std::vector<std::function<void()>> waiting_;  // to be called when the next one is over
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// The body of POST {url}/v1/worker-heartbeat.
std::string heartbeat_body(const HeartbeatOptions& options, const Heartbeat::Report& report,
                           std::uint16_t port, const std::string& version);

}  // namespace llm::server
