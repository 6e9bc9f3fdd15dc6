#include "models/blocks/norm.h"

namespace llm::models {

void Norm::apply(const float* x, float* y, std::int64_t rows, const Compute& compute) const {
  const auto cols = static_cast<std::int64_t>(weight.size());
  compute.for_rows(rows, [&](std::int64_t begin, std::int64_t end) {
    compute.ops->rms_norm(x + begin * cols, weight.data(), eps, y + begin * cols, end - begin, cols,
                          cols);
  });
}

}  // namespace llm::models
