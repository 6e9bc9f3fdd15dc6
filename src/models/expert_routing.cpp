#include "models/expert_routing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace llm::models {
namespace {

// Keeps the division finite where all chosen scores are zero, as the reference does.
constexpr float kSmallestSum = 1e-20F;
// Below every score, and below that: an expert of a dropped group (or with a NaN for a score) comes
// last, one that has been chosen does not come again.
constexpr float kOutOfReach = -std::numeric_limits<float>::max();
constexpr float kTaken = -std::numeric_limits<float>::infinity();

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

// The first of the largest values; there are no NaN among them.
std::size_t largest_index(std::span<const float> values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

float group_value(GroupScore kind, std::span<const float> scores) {
  const std::size_t best = largest_index(scores);
  if (kind == GroupScore::best || scores.size() == 1) return scores[best];
  float second = kOutOfReach;
  for (std::size_t e = 0; e < scores.size(); ++e) {
    if (e != best && scores[e] > second) second = scores[e];
  }
  return scores[best] + second;
}

// Puts the experts of all but the best groups out of reach.
void drop_groups(const ExpertRouting& routing, std::span<float> scores) {
  const std::size_t size = scores.size() / static_cast<std::size_t>(routing.groups);
  const auto groups = static_cast<std::size_t>(routing.groups);
  const auto kept = static_cast<std::size_t>(routing.groups_used);
  // A group stays when fewer than groups_used others are better, or equal and before it.
  std::array<float, kMaxExpertGroups> values;
  for (std::size_t g = 0; g < groups; ++g) {
    values[g] = group_value(routing.group_score, scores.subspan(g * size, size));
  }
  for (std::size_t g = 0; g < groups; ++g) {
    std::size_t better = 0;
    for (std::size_t other = 0; other < groups; ++other) {
      better += values[other] > values[g] || (other < g && !(values[g] > values[other])) ? 1 : 0;
    }
    if (better >= kept)
      std::fill_n(scores.begin() + static_cast<std::ptrdiff_t>(g * size), size, kOutOfReach);
  }
}

}  // namespace

void choose_experts(const ExpertRouting& routing, std::span<const float> logits,
                    std::span<const float> bias, std::span<float> scores,
                    std::span<std::int32_t> ids, std::span<float> weights) {
  const std::span<float> all = scores.first(logits.size());
  const std::span<float> left = scores.subspan(logits.size(), logits.size());
  score_all(routing.score, logits, all);
  for (std::size_t e = 0; e < left.size(); ++e) {
    left[e] = bias.empty() ? all[e] : all[e] + bias[e];
    if (std::isnan(left[e])) left[e] = kOutOfReach;
  }
  if (routing.groups > 1) drop_groups(routing, left);
  for (std::size_t k = 0; k < ids.size(); ++k) {
    const std::size_t best = largest_index(left);
    ids[k] = static_cast<std::int32_t>(best);
    weights[k] = all[best];
    left[best] = kTaken;
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
