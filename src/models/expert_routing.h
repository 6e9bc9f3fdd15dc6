// ExpertRouting: how the experts of a token are chosen from the router's logits, and with what
// weights. Plain arithmetic on one row, the same on every backend.
#pragma once

#include <cstdint>
#include <span>

namespace llm::models {

/// Where experts come in groups, only those of the best groups are chosen from. A group counts by
/// its best expert, or by the sum of its best two.
inline constexpr std::int64_t kMaxExpertGroups = 256;
enum class GroupScore : std::uint8_t { best, best_two };
enum class ExpertScore : std::uint8_t { softmax, sigmoid };

struct ExpertRouting {
  ExpertScore score = ExpertScore::softmax;  ///< over all experts
  bool normalize = false;                    ///< weights of the chosen add up to 1 before scaling
  float scale = 1.0F;                        ///< of the weights
  std::int64_t groups = 1;                   ///< of equal size, in order
  std::int64_t groups_used = 1;
  GroupScore group_score = GroupScore::best;
};

/// The `ids.size()` experts with the highest scores, in falling order of score, ties to the lowest
/// index, and their weights. logits: (experts), finite or not. `bias`, (experts) or empty, is added
/// to the scores for choosing, not for the weights (Wang et al. 2024). `scores` is work space,
/// (2 * experts).
void choose_experts(const ExpertRouting& routing, std::span<const float> logits,
                    std::span<const float> bias, std::span<float> scores,
                    std::span<std::int32_t> ids, std::span<float> weights);

}  // namespace llm::models
