#include "sampling/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/error.h"
#include "sampling/weigh.h"

namespace llm::sampling {

Result<TokenLogprobs> token_logprobs(std::span<const float> logits, std::int32_t chosen,
                                     int n_alternatives) {
  LLM_CHECK(chosen >= 0 && static_cast<std::size_t>(chosen) < logits.size());
  std::vector<float> block_highest(blocks_of(logits.size()));
  LLM_ASSIGN_OR_RETURN(const ScannedRow row, scan_row(logits, block_highest));
  const float highest = row.highest;
  if (highest == -std::numeric_limits<float>::infinity()) {
    return core::invalid_argument("all {} tokens are masked: they have no probability",
                                  logits.size());
  }
  const double denominator = std::log(sum_of_exponentials(logits, highest));
  const auto logprob = [&](float logit) {
    return static_cast<float>(static_cast<double>(logit) - static_cast<double>(highest) -
                              denominator);
  };

  TokenLogprobs result;
  result.chosen = {chosen, logprob(logits[static_cast<std::size_t>(chosen)])};
  if (n_alternatives <= 0) return result;
  std::vector<Candidate> best;
  select_top_k(row, static_cast<std::size_t>(n_alternatives), best);
  std::sort(best.begin(), best.end(), higher_logit);
  result.alternatives.reserve(best.size());
  for (const Candidate& c : best) result.alternatives.push_back({c.id, logprob(c.logit)});
  return result;
}

}  // namespace llm::sampling
