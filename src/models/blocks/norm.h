// Norm: a norm over rows with its weights: root mean square (Zhang and Sennrich 2019) or layer norm
// (Ba et al. 2016).
#pragma once

#include <vector>

#include "models/linear.h"
#include "models/spec.h"

namespace llm::models {

struct Norm {
  NormKind kind = NormKind::rms;
  std::vector<float> weight;  // (cols), or empty: the model has no such norm
  std::vector<float> bias;    // (cols) or empty; layer norms only
  float eps = 1e-6F;

  bool present() const { return !weight.empty(); }
  std::size_t bytes() const { return (weight.size() + bias.size()) * sizeof(float); }

  /// y = norm(x), row by row; x and y are (rows, cols), contiguous, and may be the same.
  void apply(const float* x, float* y, std::int64_t rows, const Compute& compute) const;

  /// Norms the heads of one row in place, x (n_heads, head_dim): all by the same weights
  /// (head_dim), or each by its own, weights (n_heads, head_dim).
  void apply_to_heads(float* x, std::int64_t n_heads, std::int64_t head_dim,
                      const kernels::Ops& ops) const;

 private:
  void run(const float* x, const float* w, float* y, std::int64_t rows, std::int64_t cols,
           const kernels::Ops& ops) const;
};

}  // namespace llm::models
