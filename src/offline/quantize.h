// quantize(): a model in either format to a GGUF file with matrices of another type. The output is
// written in one pass, tensor by tensor, under a temporary name until it is complete; memory holds
// a slice of one tensor. The same input gives the same bytes with any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/shape.h"
#include "llm/dtype.h"
#include "llm/status.h"

namespace llm::offline {

/// What became of one tensor.
struct QuantizedTensor {
  std::size_t number = 0;  ///< from 1
  std::size_t count = 0;
  std::string name;
  core::Shape shape;
  DType from = DType::f32;
  DType to = DType::f32;
  std::optional<DType> instead_of;  ///< what its rows are too short or uneven for
  std::size_t bytes = 0;
};

struct QuantizeOptions {
  std::string input;   ///< a safetensors directory or a GGUF file
  std::string output;  ///< a GGUF file
  std::string type;    ///< see quant_mixes()
  bool pure = false;   ///< all matrices of one type
  bool allow_requantize = false;
  bool overwrite = false;
  int threads = 1;
  /// Called before each tensor is written, on the calling thread; may be empty.
  std::function<void(const QuantizedTensor&)> on_tensor;
  /// Asked between slices; true ends the work with a `cancelled` error. May be empty.
  std::function<bool()> should_stop;
};

struct QuantizeReport {
  struct Share {
    std::size_t tensors = 0;
    std::size_t bytes = 0;
  };
  std::string type;
  std::map<DType, Share> shares;
  std::uint64_t elements = 0;
  std::size_t tensor_bytes = 0;
  std::size_t input_bytes = 0;   ///< of the files
  std::size_t output_bytes = 0;  ///< of the file
  std::size_t fallbacks = 0;     ///< tensors of another type than the mix has for them
  std::vector<std::string> warnings;

  double bits_per_weight() const {
    return elements == 0 ? 0.0
                         : 8.0 * static_cast<double>(tensor_bytes) / static_cast<double>(elements);
  }
};

/// Warnings go to the log as soon as they are known, and into the report. Errors: an unknown type
/// (listing the known ones), an output that exists or is an input, a model that is broken or that
/// GGUF cannot express, quantised weights without `allow_requantize`, values that are not finite or
/// too large for the type, and whatever the disk refuses. After an error there is no output file.
Result<QuantizeReport> quantize(const QuantizeOptions& options);

}  // namespace llm::offline
