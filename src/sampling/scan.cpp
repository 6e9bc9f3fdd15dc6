#include "sampling/scan.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cstddef>
#include <limits>

#include "core/error.h"

namespace llm::sampling {

Status check_logits(std::span<const float> logits) {
  unsigned bad = 0;  // no early exit: the loop vectorises
  for (const float logit : logits) bad |= logit <= FLT_MAX ? 0U : 1U;
  if (bad == 0) return {};
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (!(logits[id] <= FLT_MAX)) {
      return core::internal_error("logit of token {} is {} (expected a finite number)", id,
                                  logits[id]);
    }
  }
  return {};
}

float highest_value(std::span<const float> values) {
  // Independent lanes: one running maximum would wait for itself at every element.
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> lanes;
  lanes.fill(-std::numeric_limits<float>::infinity());
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
    }
  }
  for (; i < values.size(); ++i) lanes[0] = std::max(lanes[0], values[i]);
  return *std::max_element(lanes.begin(), lanes.end());
}

}  // namespace llm::sampling
