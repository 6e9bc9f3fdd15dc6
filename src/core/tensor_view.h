// TensorView: a typed, shaped window on bytes that somebody else owns (a mapped file or a buffer).
// Row-major and contiguous; `bytes` was checked against dtype and shape by whoever made the view.
#pragma once

#include <cstddef>

#include "core/shape.h"
#include "llm/dtype.h"

namespace llm::core {

struct TensorView {
  DType dtype = DType::f32;
  Shape shape;
  const std::byte* data = nullptr;
  std::size_t bytes = 0;
};

}  // namespace llm::core
