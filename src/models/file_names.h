// FileNames: what the tensors of one model are called in its file.
#pragma once

#include <string>
#include <string_view>

#include "formats/model_file.h"
#include "models/config.h"
#include "models/tensor_claims.h"

namespace llm::models {

class FileNames {
 public:
  /// Both must outlive the object.
  FileNames(const formats::ModelFile& file, const ModelConfig& config);

  /// The name with the layer's index, and with what this file has in place of the leading "model.".
  std::string name(std::string_view pattern, std::int64_t layer = 0) const;
  /// Whether the file has that tensor; false for an empty pattern.
  bool has(std::string_view pattern, std::int64_t layer = 0) const;

  /// ok when every tensor that was not claimed belongs to what is never used: buffers of old
  /// checkpoints, layers for training, other parts of a larger model.
  Status finish(TensorClaims& claims) const;

 private:
  const formats::ModelFile& file_;
  const ModelConfig& config_;
  bool gguf_;
  std::string prefix_;  // what stands for the leading "model." of Hugging Face's names
};

}  // namespace llm::models
