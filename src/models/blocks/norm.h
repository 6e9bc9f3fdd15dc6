// Norm: a root-mean-square norm with its weights (Zhang and Sennrich 2019).
#pragma once

#include <vector>

#include "models/linear.h"

namespace llm::models {

struct Norm {
  std::vector<float> weight;  // (cols)
  float eps = 1e-6F;

  /// y = norm(x), row by row; x and y are (rows, cols), contiguous, and may be the same.
  void apply(const float* x, float* y, std::int64_t rows, const Compute& compute) const;
};

}  // namespace llm::models
