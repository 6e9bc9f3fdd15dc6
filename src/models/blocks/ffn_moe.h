// FfnMoe: a mixture of experts (Shazeer et al. 2017; Jiang et al. 2024): a router chooses a few
// feed-forward networks per token, whose outputs are added by weight; optionally beside a shared
// expert that every token uses. Each expert runs on the rows that chose it, gathered; a row adds up
// its experts in order of their index, so the result does not depend on other rows.
#pragma once

#include <vector>

#include "models/blocks/ffn_dense.h"
#include "models/expert_routing.h"

namespace llm::models {

struct FfnMoe {
  ExpertRouting routing;
  std::int64_t n_used = 0;
  LinearGroup router;              // hidden_size -> experts, in f32
  std::vector<float> choice_bias;  // (experts) or empty; see choose_experts()
  std::vector<FfnDense> experts;
  FfnDense shared;            // or without matrices: there is none
  LinearGroup shared_router;  // hidden_size -> 1: the shared expert counts by its sigmoid; or empty

  /// out += ffn(normed); both (rows, hidden_size).
  void apply(Step& step, const float* normed, float* out, const Compute& compute) const;

 private:
  void choose(Step& step, const float* normed, const Compute& compute) const;
  void run_expert(Step& step, std::int64_t expert, const float* normed, float* out,
                  const Compute& compute) const;
  void run_shared(Step& step, const float* normed, float* out, const Compute& compute) const;
};

}  // namespace llm::models
