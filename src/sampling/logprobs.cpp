#include "sampling/logprobs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/error.h"
#include "sampling/exp.h"
#include "sampling/scan.h"

namespace llm::sampling {
namespace {

// log(sum(exp(logit - highest))); the sum is carried in f64.
double log_sum(std::span<const float> logits, float highest) {
  constexpr std::size_t kBlock = 256;
  std::array<float, kBlock> terms;
  double sum = 0;
  for (std::size_t begin = 0; begin < logits.size(); begin += kBlock) {
    const auto block = logits.subspan(begin, std::min(kBlock, logits.size() - begin));
    for (std::size_t t = 0; t < block.size(); ++t) terms[t] = exp_nonpositive(block[t] - highest);
    for (std::size_t t = 0; t < block.size(); ++t) sum += static_cast<double>(terms[t]);
  }
  return std::log(sum);
}

}  // namespace

Result<TokenLogprobs> token_logprobs(std::span<const float> logits, std::int32_t chosen,
                                     int n_alternatives) {
  LLM_CHECK(chosen >= 0 && static_cast<std::size_t>(chosen) < logits.size());
  LLM_RETURN_IF_ERROR(check_logits(logits));
  const float highest = highest_value(logits);
  if (highest == -std::numeric_limits<float>::infinity()) {
    return core::invalid_argument("all {} tokens are masked: they have no probability",
                                  logits.size());
  }
  const double denominator = log_sum(logits, highest);
  const auto logprob = [&](float logit) {
    return static_cast<float>(static_cast<double>(logit) - static_cast<double>(highest) -
                              denominator);
  };

  TokenLogprobs result;
  result.chosen = {chosen, logprob(logits[static_cast<std::size_t>(chosen)])};
  if (n_alternatives <= 0) return result;
  std::vector<Candidate> best;
  select_top_k(logits, static_cast<std::size_t>(n_alternatives), best);
  std::sort(best.begin(), best.end(), higher_logit);
  result.alternatives.reserve(best.size());
  for (const Candidate& c : best) result.alternatives.push_back({c.id, logprob(c.logit)});
  return result;
}

}  // namespace llm::sampling
