// ExpertRouting: how the experts of a token are chosen from the router's logits, and with what
// weights. Plain arithmetic on one row, the same on every backend.
#pragma once

#include <cstdint>
#include <span>

namespace llm::models {

enum class ExpertScore : std::uint8_t { softmax, sigmoid };

struct ExpertRouting {
  ExpertScore score = ExpertScore::softmax;  ///< over all experts
  bool normalize = false;                    ///< weights of the chosen add up to 1 before scaling
  float scale = 1.0F;                        ///< of the weights
};

/// The `ids.size()` experts with the highest scores, in falling order of score, ties to the lowest
/// index, and their weights. logits: (experts), finite or not; `scores` is work space (experts).
void choose_experts(const ExpertRouting& routing, std::span<const float> logits,
                    std::span<float> scores, std::span<std::int32_t> ids, std::span<float> weights);

}  // namespace llm::models
