#include "models/blocks/ffn_dense.h"

namespace llm::models {

void FfnDense::apply_to(Step& step, const float* normed, std::int64_t rows, float* out,
                        const Compute& compute) const {
  const std::int64_t hidden = step.sizes().hidden_size;
  const std::int64_t width = gate_up.outputs();
  const std::int64_t size = kind == FfnKind::gated ? width / 2 : width;
  step.input.set(normed, rows, hidden);
  gate_up.apply_activated(step.input, activation, step.gate_up, step.gated, compute);
  step.input.set(step.gated, rows, size);
  down.apply(step.input, out, hidden, true, compute);
}

}  // namespace llm::models
