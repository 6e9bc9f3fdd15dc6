// Strict JSON reading for untrusted text: bounded nesting depth, duplicate keys refused, errors as
// Status with the byte offset. Values are nlohmann::json.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

#include "llm/status.h"

namespace llm::core {

using Json = nlohmann::json;

struct JsonLimits {
  std::size_t max_depth = 64;
};

/// Parses exactly one JSON document (RFC 8259, valid UTF-8). `what` names the source in errors,
/// e.g. "config.json".
Result<Json> parse_json(std::string_view text, std::string_view what, JsonLimits limits = {});

/// A float as the shortest decimal that reads back as the same float (1.3, not 1.29999995); null
/// for NaN and infinities, which JSON lacks.
Json float_json(float value);

}  // namespace llm::core
