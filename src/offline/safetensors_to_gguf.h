// From the tensors of a safetensors model to those of the GGUF file that llama.cpp's converter
// would make of it: names, order of rows, stacked experts, halves of the latent's matrices.
#pragma once

#include <vector>

#include "formats/model_file.h"
#include "llm/status.h"
#include "models/config.h"
#include "models/gguf_export.h"
#include "offline/output_tensor.h"

namespace llm::offline {

/// In the order of computation. `file` must outlive the result. Errors: a tensor that is
/// missing, misshapen, or has no place in the model or in GGUF.
Result<std::vector<OutputTensor>> gguf_tensors(const formats::ModelFile& file,
                                               const models::ModelConfig& config,
                                               const models::GgufExport& target);

}  // namespace llm::offline
