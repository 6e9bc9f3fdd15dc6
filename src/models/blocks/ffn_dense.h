// FfnDense: the gated feed-forward network, down(silu(gate(x)) * up(x)) (Shazeer 2020, SwiGLU).
#pragma once

#include "models/linear.h"
#include "models/step.h"

namespace llm::models {

struct FfnDense {
  LinearGroup gate_up;  // hidden_size -> ffn_size | ffn_size
  LinearGroup down;     // ffn_size -> hidden_size

  /// x += ffn(normed); both (rows, hidden_size).
  void apply(Step& step, const float* normed, float* x, const Compute& compute) const;
};

}  // namespace llm::models
