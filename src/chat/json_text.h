// JSON in and out, as Python's json module: objects keep their order.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "chat/object.h"
#include "core/json.h"

namespace llm::chat {

struct JsonStyle {
  bool ascii_only = false;
  std::optional<std::string> indent;  ///< of one level; absent: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};

/// json.dumps(). An error for what JSON cannot say, such as undefined values.
Result<std::string> to_json(Runtime& runtime, const Value& value, const JsonStyle& style);

/// A JSON document, read by the strict rules of core/json.h. Integers of more than 64 bits are
/// refused. `what` names it in errors.
Result<Value> from_json(std::string_view text, std::string_view what, core::JsonLimits limits = {});

}  // namespace llm::chat
