#include "sampling/candidates.h"

#include <limits>

namespace llm::sampling {

void select_top_k(std::span<const float> logits, std::size_t k, std::vector<Candidate>& out) {
  k = std::min(k, logits.size());
  // A buffer of a few times k is filled with everything above the k-th best so far and cut back to
  // k when full: most tokens fail the one comparison.
  const std::size_t capacity = std::max<std::size_t>(2 * k, 256);
  const auto cut = [&] {
    if (out.size() <= k) return;
    std::nth_element(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(k - 1), out.end(),
                     higher_logit);
    out.resize(k);
  };
  out.clear();
  float threshold = -std::numeric_limits<float>::infinity();
  for (std::size_t id = 0; id < logits.size(); ++id) {
    // Ids rise, so a tie with the k-th best loses.
    if (!(logits[id] > threshold)) continue;
    out.push_back({logits[id], static_cast<std::int32_t>(id), 0});
    if (out.size() == capacity) {
      cut();
      threshold = out[k - 1].logit;
    }
  }
  cut();
}

}  // namespace llm::sampling
