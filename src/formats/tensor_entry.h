// TensorEntry: one tensor of a model file, by name. The view points into bytes owned elsewhere (the
// mapping of the file).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/tensor_view.h"

namespace llm::formats {

struct TensorEntry {
  std::string name;
  /// Row-major, outermost dimension first, in both formats (GGUF's ne[] is reversed here).
  core::TensorView view;
  std::size_t file = 0;  ///< index into ModelFile::files()
};

/// Bytes of a tensor, or nothing when the number overflows or when the innermost dimension is not a
/// multiple of the type's block.
inline std::optional<std::size_t> tensor_bytes(DType dtype, const core::Shape& shape) {
  const DTypeInfo info = dtype_info(dtype);
  const std::optional<std::int64_t> elements = shape.elements();
  const auto block = static_cast<std::int64_t>(info.block_elements);
  if (!elements || shape.back() % block != 0) return std::nullopt;
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(*elements / block, static_cast<std::int64_t>(info.block_bytes),
                             &bytes)) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(bytes);
}

}  // namespace llm::formats
