// What a quantised file will contain, from either kind of input, before anything is written.
#pragma once

#include <string>
#include <vector>

#include "formats/gguf_metadata.h"
#include "formats/model_file.h"
#include "llm/status.h"
#include "models/config.h"
#include "offline/output_tensor.h"

namespace llm::offline {

struct QuantizePlan {
  models::ModelConfig config;
  formats::GgufMetadata metadata;  ///< but for what depends on the type
  std::vector<OutputTensor> tensors;
  std::vector<DType> kept;  ///< type of each tensor that is not quantised
  std::vector<std::string> warnings;
};

/// `file` must outlive the plan. A safetensors model is turned into what GGUF has for it, and read
/// back from that: what GGUF cannot express is an error. A GGUF file is carried over.
Result<QuantizePlan> plan_quantized(const formats::ModelFile& file);

}  // namespace llm::offline
