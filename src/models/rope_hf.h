// Rotary positions as config.json states them.
#pragma once

#include "formats/hf_config.h"
#include "models/config.h"

namespace llm::models {

/// Reads rope_theta, partial_rotary_factor, rope_scaling or rope_parameters into config.rope(), and
/// lengthens config.max_positions where a scaling extends it. Of rope_parameters per kind of layer
/// it takes those of full attention.
Status read_hf_rope(const formats::HfConfig& keys, ModelConfig& config);

}  // namespace llm::models
