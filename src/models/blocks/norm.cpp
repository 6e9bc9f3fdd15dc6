#include "models/blocks/norm.h"

namespace llm::models {

void Norm::run(const float* x, const float* w, float* y, std::int64_t rows, std::int64_t cols,
               const kernels::Ops& ops) const {
  if (kind == NormKind::rms) {
    ops.rms_norm(x, w, eps, y, rows, cols, cols);
  } else {
    ops.layer_norm(x, w, bias.empty() ? nullptr : bias.data(), eps, y, rows, cols, cols);
  }
}

void Norm::apply(const float* x, float* y, std::int64_t rows, const Compute& compute) const {
  const auto cols = static_cast<std::int64_t>(weight.size());
  compute.for_rows(rows, [&](std::int64_t begin, std::int64_t end) {
    run(x + begin * cols, weight.data(), y + begin * cols, end - begin, cols, *compute.ops);
  });
}

void Norm::apply_to_heads(float* x, std::int64_t n_heads, std::int64_t head_dim,
                          const kernels::Ops& ops) const {
  if (static_cast<std::int64_t>(weight.size()) == head_dim) {
    run(x, weight.data(), x, n_heads, head_dim, ops);
    return;
  }
  for (std::int64_t head = 0; head < n_heads; ++head) {
    float* at = x + head * head_dim;
    run(at, weight.data() + head * head_dim, at, 1, head_dim, ops);
  }
}

}  // namespace llm::models
