#include "models/blocks/ffn_dense.h"

namespace llm::models {

void FfnDense::apply(Step& step, const float* normed, float* x, const Compute& compute) const {
  const std::int64_t rows = step.rows();
  const std::int64_t hidden = step.sizes().hidden_size;
  const std::int64_t size = step.sizes().ffn_size;
  step.input.set(normed, rows, hidden);
  gate_up.apply(step.input, step.gate_up, 2 * size, false, compute);
  compute.for_rows(rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* gate = step.gate_up + row * 2 * size;
      compute.ops->silu_mul(gate, gate + size, step.gated + row * size, size);
    }
  });
  step.input.set(step.gated, rows, size);
  down.apply(step.input, x, hidden, true, compute);
}

}  // namespace llm::models
