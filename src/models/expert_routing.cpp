#include "models/expert_routing.h"

#include <algorithm>
#include <cmath>

namespace llm::models {
namespace {

// Keeps the division finite where all chosen scores are zero, as the reference does.
constexpr float kSmallestSum = 1e-20F;

void score_all(ExpertScore kind, std::span<const float> logits, std::span<float> scores) {
  if (kind == ExpertScore::sigmoid) {
    for (std::size_t e = 0; e < logits.size(); ++e)
      scores[e] = 1.0F / (1.0F + std::exp(-logits[e]));
    return;
  }
  const float largest = *std::max_element(logits.begin(), logits.end());
  float sum = 0;
  for (std::size_t e = 0; e < logits.size(); ++e) {
    scores[e] = std::exp(logits[e] - largest);
    sum += scores[e];
  }
  for (float& score : scores) score /= sum;
}

}  // namespace

void choose_experts(const ExpertRouting& routing, std::span<const float> logits,
                    std::span<float> scores, std::span<std::int32_t> ids,
                    std::span<float> weights) {
  score_all(routing.score, logits, scores);
  for (std::size_t k = 0; k < ids.size(); ++k) {
    // A NaN is never above: with nothing but NaN left, the first experts not yet chosen are taken.
    std::int32_t best = -1;
    for (std::size_t e = 0; e < scores.size(); ++e) {
      const auto id = static_cast<std::int32_t>(e);
      if (std::find(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(k), id) !=
          ids.begin() + static_cast<std::ptrdiff_t>(k)) {
        continue;
      }
      if (best < 0 || scores[e] > scores[static_cast<std::size_t>(best)]) best = id;
    }
    ids[k] = best;
    weights[k] = scores[static_cast<std::size_t>(best)];
  }
  float divisor = 1.0F;
  if (routing.normalize) {
    float sum = 0;
    for (const float weight : weights) sum += weight;
    divisor = sum + kSmallestSum;
  }
  for (float& weight : weights) weight = weight / divisor * routing.scale;
}

}  // namespace llm::models
