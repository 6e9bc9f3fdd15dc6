// config_difference(): where two configurations would compute differently. It guards conversions:
// what the target format has no place for is lost when the configuration is read back.
#pragma once

#include <optional>
#include <string>

#include "models/config.h"

namespace llm::models {

/// The first thing in which `found` differs from `wanted`, e.g. "sliding window of layer 1: 8 would
/// become 0"; nothing when they are equal up to the rounding of stored numbers to f32.
std::optional<std::string> config_difference(const ModelConfig& wanted, const ModelConfig& found);

}  // namespace llm::models
