#include "cli/serve_log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>

#include "core/json.h"
#include "server/http_message.h"
#include "server/identity.h"

namespace llm::cli {
namespace {

spdlog::level::level_enum spdlog_level(core::LogLevel level) {
  switch (level) {
    case core::LogLevel::debug:
      return spdlog::level::debug;
    case core::LogLevel::info:
      return spdlog::level::info;
    case core::LogLevel::warning:
      return spdlog::level::warn;
    case core::LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view level_name(core::LogLevel level) {
  switch (level) {
    case core::LogLevel::debug:
      return "debug";
    case core::LogLevel::info:
      return "info";
    case core::LogLevel::warning:
      return "warning";
    case core::LogLevel::error:
      return "error";
  }
  return "?";
}

}  // namespace

std::string json_log_line(std::string_view timestamp, core::LogLevel level,
                          std::string_view message) {
  constexpr std::string_view kPrefix = "request_id=";
  core::Json line = {{"timestamp", timestamp}, {"level", level_name(level)}};
  if (message.substr(0, kPrefix.size()) == kPrefix) {
    message.remove_prefix(kPrefix.size());
    const std::string_view id = message.substr(0, message.find(' '));
    line["request_id"] = id;
    message.remove_prefix(std::min(message.size(), id.size() + 1));
  }
  line["message"] = message;
  return server::to_text(line);
}

void install_serve_log(LogFormat format, core::LogLevel lowest) {
  auto logger = std::make_shared<spdlog::logger>(
      "llm-worker", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_level(spdlog_level(lowest));
  logger->set_pattern(format == LogFormat::json ? "%v" : "%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  logger->flush_on(spdlog::level::debug);
  set_log_sink([logger, format](core::LogLevel level, std::string_view message) {
    const spdlog::level::level_enum wanted = spdlog_level(level);
    if (!logger->should_log(wanted)) return;
    if (format == LogFormat::json) {
      const std::string now = server::rfc3339(std::chrono::system_clock::now());
      logger->log(wanted, "{}", json_log_line(now, level, message));
    } else {
      logger->log(wanted, "{}", message);
    }
  });
}

}  // namespace llm::cli
