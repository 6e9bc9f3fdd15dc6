// FfnDense: the feed-forward network of one layer: gated, down(act(gate(x)) * up(x)) (Shazeer
// 2020), or plain, down(act(up(x))).
#pragma once

#include "models/linear.h"
#include "models/spec.h"
#include "models/step.h"

namespace llm::models {

struct FfnDense {
  FfnKind kind = FfnKind::gated;
  kernels::Activation activation = kernels::Activation::silu;
  LinearGroup gate_up;  // hidden_size -> size | size (gated), or -> size (plain)
  LinearGroup down;     // size -> hidden_size

  /// out += ffn(normed); both (rows, hidden_size).
  void apply(Step& step, const float* normed, float* out, const Compute& compute) const {
    apply_to(step, normed, step.rows(), out, compute);
  }
  /// The same for another number of rows than the batch has.
  void apply_to(Step& step, const float* normed, std::int64_t rows, float* out,
                const Compute& compute) const;
};

}  // namespace llm::models
