// Numbers as Python's int() and float() read them from text.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "llm/status.h"

namespace llm::chat {

/// int(text, base): white space around, a sign, underscores between digits, a prefix that fits the
/// base. Nothing for what is no number, an error for more than 64 bits or an impossible base.
Result<std::optional<std::int64_t>> parse_integer(std::string_view text, std::int64_t base);
/// float(text)
std::optional<double> parse_real(std::string_view text);

}  // namespace llm::chat
