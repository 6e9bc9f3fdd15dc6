// Log lines of the library go to one sink that the program installs; without a sink they are
// dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "llm/export.h"

namespace llm {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

/// Called from any thread, with one line without its end.
using LogSink = std::function<void(LogLevel level, std::string_view message)>;

/// Replaces the sink; call before any other function of the library.
LLM_API void set_log_sink(LogSink sink);

}  // namespace llm
