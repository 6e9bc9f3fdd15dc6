// SamplingParams: how the next token is chosen from the logits. The chain, in this order: logit
// bias, repetition penalty, presence and frequency penalty, temperature (0 = greedy, ties to the
// lowest id), top-k, top-p, min-p, draw. Plain value type.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "llm/export.h"
#include "llm/status.h"

namespace llm {

struct SamplingParams {
  float temperature = 1.0F;         ///< 0..2; 0 is greedy
  std::int32_t top_k = 0;           ///< keep the k most likely; 0 = off
  float top_p = 1.0F;               ///< 0..1; smallest set with at least this mass; 1 = off
  float min_p = 0.0F;               ///< 0..1; drop tokens below min_p * the likeliest; 0 = off
  float repetition_penalty = 1.0F;  ///< (0, 2]; Keskar et al. 2019 (CTRL), 1 = off
  std::int32_t repeat_last_n = 128;  ///< window of the repetition penalty; 0 = all tokens so far
  float presence_penalty = 0.0F;    ///< -2..2, once per distinct generated token
  float frequency_penalty = 0.0F;   ///< -2..2, per occurrence among the generated tokens
  std::vector<std::pair<std::int32_t, float>> logit_bias;  ///< (token id, -100..100)
  std::optional<std::uint64_t> seed;  ///< absent: drawn at random and reported

  /// ok, or which value is out of range: "temperature must be at most 2.0 (got 2.5)".
  LLM_API Status validate() const;
};

}  // namespace llm
