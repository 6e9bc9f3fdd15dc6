#include "models/blocks/ffn_dense.h"

namespace llm::models {

void FfnDense::apply_to(Step& step, const float* normed, std::int64_t rows, float* out,
                        const Compute& compute) const {
  const std::int64_t hidden = step.sizes().hidden_size;
  const std::int64_t width = gate_up.outputs();
  const std::int64_t size = kind == FfnKind::gated ? width / 2 : width;
  step.input.set(normed, rows, hidden);
  gate_up.apply(step.input, step.gate_up, width, false, compute);
  compute.for_rows(rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* first = step.gate_up + row * width;
      const float* up = kind == FfnKind::gated ? first + size : nullptr;
      compute.ops->activate(activation, first, up, step.gated + row * size, size);
    }
  });
  step.input.set(step.gated, rows, size);
  down.apply(step.input, out, hidden, true, compute);
}

}  // namespace llm::models
