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

/// Receives the parts of a document in their order; false from a member ends the reading.
using JsonSink = nlohmann::json_sax<Json>;

/// Reads one document by the same rules into `sink`, which sees the members of an object in the order
/// of the text; a Json has them sorted.
Status read_json(std::string_view text, std::string_view what, JsonSink& sink,
                 JsonLimits limits = {});

/// The text of a member's value, as it stands in the text of an object that parse_json accepts;
/// empty when there is no such member.
std::string_view member_text(std::string_view object, std::string_view key);

/// A float as the shortest decimal that reads back as the same float (1.3, not 1.29999995); null
/// for NaN and infinities, which JSON lacks.
Json float_json(float value);

}  // namespace llm::core
