#include "server/heartbeat.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "core/json.h"
#include "core/log.h"
#include "server/http_client.h"
#include "server/http_message.h"
#include "server/identity.h"

namespace llm::server {

std::string heartbeat_body(const HeartbeatOptions& options, const Heartbeat::Report& report,
                           std::uint16_t port, const std::string& version) {
  return to_text({{"worker",
                   {{"id", options.worker_id},
                    {"model_id", report.model_id},
                    {"device", options.device},
                    {"port", port},
                    {"status", report.status},
                    {"implementation", "llm-worker"},
                    {"version", version}}},
                  {"timestamp", rfc3339(std::chrono::system_clock::now())}});
}

Heartbeat::Heartbeat(boost::asio::io_context& io, HeartbeatOptions options, std::string version,
                     std::uint16_t port, std::function<Report()> report)
    : io_(io),
      options_(std::move(options)),
      version_(std::move(version)),
      port_(port),
      report_(std::move(report)),
      timer_(io) {}

void Heartbeat::start() {
  if (options_.url.empty()) return;
  send();
  schedule();
}

void Heartbeat::stop() {
  *alive_ = false;
  timer_.cancel();
}

void Heartbeat::schedule() {
  timer_.expires_after(options_.interval);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    send();
    schedule();
  });
}

void Heartbeat::send(std::function<void()> done) {
  if (options_.url.empty() || !*alive_) {
    if (done) done();
    return;
  }
  if (done) waiting_.push_back(std::move(done));
  wanted_ = true;
  if (!sending_) send_next();
}

// One after the other: the last that the hive hears is the last that was true.
void Heartbeat::send_next() {
  const Result<Url> url = parse_url(options_.url);
  if (!url) return;  // refused when the server was started
  sending_ = true;
  wanted_ = false;
  post_json(
      io_, url.value(), "/v1/worker-heartbeat",
      heartbeat_body(options_, report_(), port_, version_),
      [this, alive = alive_, done = std::exchange(waiting_, {})](const Result<int>& http_status) {
        for (const auto& told : done) told();
        if (!*alive) return;
        sending_ = false;
        on_result(http_status);
        if (wanted_) send_next();
      });
}

void Heartbeat::on_result(const Result<int>& http_status) {
  std::string problem;
  if (!http_status) {
    problem = http_status.error().message();
  } else if (http_status.value() == 404) {
    problem = "there is no heartbeat route (404)";
  } else if (http_status.value() >= 300) {
    problem = fmt::format("answered {}", http_status.value());
  }
  if (problem == last_problem_) return;
  if (problem.empty()) {
    core::log(core::LogLevel::info, "heartbeat: {} answers again", options_.url);
  } else {
    core::log(core::LogLevel::warning, "heartbeat: {}: {}; serving goes on", options_.url, problem);
  }
  last_problem_ = problem;
}

}  // namespace llm::server
