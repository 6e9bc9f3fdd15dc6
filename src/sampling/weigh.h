// Probabilities of tokens, as integers and as a sum: the one part of choosing a token that computes
// something for each of them. Runs with the widest vectors of the processor, and gives the same
// bits with all. No state; any thread.
#pragma once

#include <array>
#include <span>

#include "sampling/candidates.h"

namespace llm::sampling {

using BlockWeights = std::array<Weight, kBlockTokens>;

/// Weight of a token: kOne * e^((logit - highest) / temperature), without its fraction.
Weight weigh_token(float logit, float highest, float temperature);

/// The same of up to kBlockTokens tokens; the weights behind them are 0.
void weigh_block(std::span<const float> logits, float highest, float temperature,
                 BlockWeights& weights);

/// Sum of e^(logit - highest) in f64: every 32nd to one of 32 sums, those then one after the other.
double sum_of_exponentials(std::span<const float> logits, float highest);

}  // namespace llm::sampling
