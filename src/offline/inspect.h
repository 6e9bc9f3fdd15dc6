// What is in a model file: its format, its files and its tensors, without running or loading it.
#pragma once

#include <string>
#include <vector>

#include "core/shape.h"
#include "llm/dtype.h"
#include "llm/status.h"

namespace llm::offline {

struct TensorDescription {
  std::string name;
  DType dtype = DType::f32;
  core::Shape shape;  ///< outermost dimension first
  std::size_t bytes = 0;
};

struct FileDescription {
  std::string path;
  std::size_t bytes = 0;
};

struct ModelDescription {
  std::string format;
  /// As the file spells it; empty when it does not say.
  std::string architecture;
  std::vector<FileDescription> files;
  std::vector<TensorDescription> tensors;  ///< in file order
  std::size_t tensor_bytes = 0;
};

/// Errors: not a model, or a file whose bytes contradict its format.
Result<ModelDescription> inspect_model(const std::string& path);

}  // namespace llm::offline
