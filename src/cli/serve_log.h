// The log of a serving worker: one line per event on stderr, as text for people or as JSON for
// collectors, written through spdlog from any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/log.h"

namespace llm::cli {

enum class LogFormat { pretty, json };

/// Replaces the library's log sink. Lines below `lowest` are dropped.
void install_serve_log(LogFormat format, core::LogLevel lowest);

/// One line of the JSON format: timestamp, level, message, and request_id when the message begins
/// with "request_id=... ".
std::string json_log_line(std::string_view timestamp, core::LogLevel level,
                          std::string_view message);

}  // namespace llm::cli
