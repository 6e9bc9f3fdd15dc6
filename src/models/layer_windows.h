// Which layers of a model see only a window of the sequence.
#pragma once

#include "core/function_ref.h"
#include "formats/hf_config.h"
#include "models/config.h"

namespace llm::models {

/// Gives `window` to the layers that config.json's `layer_types` calls "sliding_attention" or,
/// where there is no such list, to those for which `slides` is true; the others see everything.
Status set_layer_windows(const formats::HfConfig& keys, std::int64_t window,
                         core::FunctionRef<bool(std::int64_t layer)> slides, ModelConfig& config);

}  // namespace llm::models
