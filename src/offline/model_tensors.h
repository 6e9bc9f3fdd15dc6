// The tensors of a model, from its configuration: what a writer has to produce.
#pragma once

#include <string>
#include <vector>

#include "core/shape.h"
#include "formats/model_file.h"
#include "models/config.h"

namespace llm::offline {

struct ModelTensor {
  std::string name;     ///< in the file format asked for
  std::string hf_name;  ///< in Hugging Face's naming: the tensor's identity across formats
  core::Shape shape;
  /// > 0: rows of heads of this many, which this format stores for interleaved rotary pairs.
  std::int64_t interleaved_head_dim = 0;

  bool is_matrix() const { return shape.rank() == 2; }
};

/// In the order of computation. Without biases.
std::vector<ModelTensor> model_tensors(const models::ModelConfig& config,
                                       formats::FileFormat format);

}  // namespace llm::offline
