// Log-probabilities of tokens: log-softmax of the raw logits, before any sampler. No state; any
// thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "llm/status.h"
#include "sampling/candidates.h"

namespace llm::sampling {

struct Logprob {
  std::int32_t id = 0;
  float logprob = 0;  ///< <= 0; -infinity for a masked token
};

struct TokenLogprobs {
  Logprob chosen;
  std::vector<Logprob> alternatives;  ///< most likely first, ties to the lower id
};

/// Of the token `chosen` (in range) and of the `n_alternatives` most likely tokens, fewer when
/// fewer are not masked. Errors as Sampler::sample.
Result<TokenLogprobs> token_logprobs(std::span<const float> logits, std::int32_t chosen,
                                     int n_alternatives);

}  // namespace llm::sampling
