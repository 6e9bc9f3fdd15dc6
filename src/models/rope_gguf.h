// Rotary positions as GGUF metadata states them.
#pragma once

#include "models/config.h"
#include "models/gguf_keys.h"

namespace llm::models {

/// Reads "rope.*" keys and the tensors of divisors into config.rope(), and lengthens
/// config.max_positions where a scaling extends it.
Status read_gguf_rope(const GgufKeys& keys, ModelConfig& config);

}  // namespace llm::models
