// What Jinja calls tests: `x is defined`, `x is divisibleby(3)`.
#pragma once

#include <string>
#include <string_view>

#include "chat/object.h"

namespace llm::chat {

struct Check {
  std::string_view name;
  Result<bool> (*apply)(Runtime& runtime, const Value& input, const Arguments& arguments);
};

/// Null when there is none of that name.
const Check* find_check(std::string_view name);
/// The error for a name that find_check does not know.
std::string unknown_check(std::string_view name);

}  // namespace llm::chat
