// OutputTensor: one tensor of a GGUF file to be written, and how its values are found in the model
// it is made from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/shape.h"
#include "formats/tensor_entry.h"

namespace llm::offline {

struct OutputTensor {
  std::string name;
  core::Shape shape;  ///< outermost dimension first; rows are of the innermost
  /// What it is made of; matrices of one size one behind another where there are several. Empty for
  /// values that are not stored in the model.
  std::vector<const formats::TensorEntry*> stored;
  /// Rows that can only be read together (those of a head, where it is transposed).
  std::int64_t rows_of_unit = 1;
  /// The values of one unit as f32, (rows_of_unit, columns). Any thread; different units at once.
  std::function<void(std::int64_t unit, float* values)> read;
  /// Bytes that may be written as they are, if the type stays stored[0]'s.
  bool same_bytes = false;
  /// Of a type that cannot be read: the bytes are carried over, and `read` is empty.
  bool opaque = false;

  std::int64_t columns() const { return shape.back(); }
  std::int64_t rows() const {
    std::int64_t rows = 1;
    for (std::size_t axis = 0; axis + 1 < shape.rank(); ++axis) rows *= shape[axis];
    return rows;
  }
  std::int64_t elements() const { return rows() * columns(); }
  /// Without the outer dimensions of size 1, as ggml counts them.
  std::size_t dimensions() const {
    std::size_t outer = 0;
    while (outer + 1 < shape.rank() && shape[outer] == 1) ++outer;
    return shape.rank() - outer;
  }
};

}  // namespace llm::offline
