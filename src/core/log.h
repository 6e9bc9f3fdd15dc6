// Writing log lines to the sink of llm/log.h.
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

#include "llm/log.h"

namespace llm::core {

using llm::LogLevel;

void log_message(LogLevel level, std::string_view message);

template <class... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  log_message(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace llm::core
