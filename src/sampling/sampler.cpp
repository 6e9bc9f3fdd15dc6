#include "sampling/sampler.h"

#include <unistd.h>

#include <array>
#include <cfloat>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/check.h"
#include "core/error.h"
#include "sampling/exp.h"
#include "sampling/scan.h"

namespace llm::sampling {
namespace {

constexpr std::int64_t kMaxVocabSize = std::int64_t{1} << 23;

// Keeps finite logits finite: a penalty close to 0 must not turn a logit into +infinity.
float bounded(float logit) {
  if (logit == -std::numeric_limits<float>::infinity()) return logit;
  return std::clamp(logit, -FLT_MAX, FLT_MAX);
}

float scaled(float logit, float highest, float temperature) {
  return (logit - highest) / temperature;
}

Weight to_weight(float probability) {
  return static_cast<Weight>(static_cast<std::int64_t>(probability * static_cast<float>(kOne)));
}

Weight at_least(double fraction, Weight of) {
  return static_cast<Weight>(std::ceil(fraction * static_cast<double>(of)));
}

Status check_ids(std::span<const std::int32_t> ids, std::int64_t vocab_size) {
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= vocab_size) {
      return core::invalid_argument("token id {} is outside the vocabulary of {} tokens", id,
                                    vocab_size);
    }
  }
  return {};
}

}  // namespace

SamplingScratch::SamplingScratch(std::int64_t vocab_size)
    : logits_(static_cast<std::size_t>(vocab_size)),
      block_weights_((static_cast<std::size_t>(vocab_size) + kBlockTokens - 1) / kBlockTokens),
      counts_(static_cast<std::size_t>(vocab_size)) {
  candidates_.reserve(static_cast<std::size_t>(vocab_size));
}

std::size_t SamplingScratch::bytes_for(std::int64_t vocab_size) {
  const auto tokens = static_cast<std::size_t>(vocab_size);
  return tokens * (sizeof(float) + sizeof(std::uint32_t)) +
         (tokens + kBlockTokens - 1) / kBlockTokens * sizeof(Weight) + tokens * sizeof(Candidate);
}

Result<Sampler> Sampler::create(const SamplingParams& params, std::int64_t vocab_size) {
  if (vocab_size <= 0 || vocab_size > kMaxVocabSize) {
    return core::unsupported("vocabulary size must be in 1..={} (got {})", kMaxVocabSize,
                             vocab_size);
  }
  LLM_RETURN_IF_ERROR(params.validate());
  for (const auto& [id, bias] : params.logit_bias) {
    if (id >= vocab_size) {
      return core::invalid_argument(
          "logit_bias token id must be below the vocabulary size {} (got {})", vocab_size, id);
    }
  }
  return Sampler(params, vocab_size, params.seed ? *params.seed : random_seed());
}

Sampler::Sampler(const SamplingParams& params, std::int64_t vocab_size, std::uint64_t seed)
    : params_(params), vocab_size_(vocab_size), random_(seed) {
  params_.seed = seed;
}

Result<std::int32_t> Sampler::sample(std::span<const float> logits,
                                     std::span<const std::int32_t> history,
                                     std::int64_t prompt_length, SamplingScratch& scratch,
                                     std::span<const std::int32_t> banned) {
  LLM_CHECK(static_cast<std::int64_t>(logits.size()) == vocab_size_);
  LLM_CHECK(scratch.logits_.size() == logits.size());
  LLM_CHECK(prompt_length >= 0 && static_cast<std::size_t>(prompt_length) <= history.size());

  LLM_RETURN_IF_ERROR(check_logits(logits));
  std::copy(logits.begin(), logits.end(), scratch.logits_.begin());
  apply_bias(scratch.logits_);
  LLM_RETURN_IF_ERROR(check_ids(banned, vocab_size_));
  for (const std::int32_t id : banned) {
    scratch.logits_[static_cast<std::size_t>(id)] = -std::numeric_limits<float>::infinity();
  }
  if (params_.repetition_penalty != 1.0F) {
    const auto last_n = static_cast<std::size_t>(params_.repeat_last_n);
    const auto window = last_n == 0 || last_n >= history.size() ? history : history.last(last_n);
    LLM_RETURN_IF_ERROR(check_ids(window, vocab_size_));
    apply_repetition_penalty(window, scratch);
  }
  if (params_.presence_penalty != 0.0F || params_.frequency_penalty != 0.0F) {
    const auto output = history.subspan(static_cast<std::size_t>(prompt_length));
    LLM_RETURN_IF_ERROR(check_ids(output, vocab_size_));
    apply_count_penalties(output, scratch);
  }

  const float highest = highest_value(scratch.logits_);
  if (highest == -std::numeric_limits<float>::infinity()) {
    return core::invalid_argument("all {} tokens are masked: none can be chosen", vocab_size_);
  }
  if (params_.temperature == 0.0F) {
    const auto first = std::find(scratch.logits_.begin(), scratch.logits_.end(), highest);
    return static_cast<std::int32_t>(first - scratch.logits_.begin());
  }
  return draw(scratch, highest);
}

void Sampler::apply_bias(std::span<float> logits) const {
  for (const auto& [id, bias] : params_.logit_bias) {
    float& logit = logits[static_cast<std::size_t>(id)];
    logit = bounded(logit + bias);
  }
}

void Sampler::apply_repetition_penalty(std::span<const std::int32_t> window,
                                       SamplingScratch& scratch) const {
  for (const std::int32_t id : window) {
    const auto token = static_cast<std::size_t>(id);
    if (scratch.counts_[token] != 0) continue;
    scratch.counts_[token] = 1;
    float& logit = scratch.logits_[token];
    logit = bounded(logit > 0.0F ? logit / params_.repetition_penalty
                                 : logit * params_.repetition_penalty);
  }
  for (const std::int32_t id : window) scratch.counts_[static_cast<std::size_t>(id)] = 0;
}

void Sampler::apply_count_penalties(std::span<const std::int32_t> output,
                                    SamplingScratch& scratch) const {
  for (const std::int32_t id : output) ++scratch.counts_[static_cast<std::size_t>(id)];
  for (const std::int32_t id : output) {
    std::uint32_t& count = scratch.counts_[static_cast<std::size_t>(id)];
    if (count == 0) continue;  // this token's turn was at its first occurrence
    float& logit = scratch.logits_[static_cast<std::size_t>(id)];
    logit = bounded(logit - params_.presence_penalty -
                    params_.frequency_penalty * static_cast<float>(count));
    count = 0;
  }
}

// The weights of the whole vocabulary are never stored, only their sums over blocks of tokens: the
// one block that a draw falls into is computed again.
Weight Sampler::weigh_blocks(SamplingScratch& scratch, float highest) const {
  Weight total = 0;
  for (std::size_t block = 0; block < scratch.block_weights_.size(); ++block) {
    BlockWeights weights;
    const std::size_t length = weigh_block(scratch.logits_, block, highest, weights);
    const Weight sum = std::accumulate(weights.begin(), weights.begin() + length, Weight{0});
    scratch.block_weights_[block] = sum;
    total += sum;
  }
  return total;
}

std::size_t Sampler::weigh_block(std::span<const float> logits, std::size_t block, float highest,
                                 BlockWeights& weights) const {
  const std::size_t begin = block * kBlockTokens;
  const std::size_t length = std::min(kBlockTokens, logits.size() - begin);
  const float temperature = params_.temperature;
  std::array<float, kBlockTokens> probabilities;
  // Two loops: the first one vectorises.
  for (std::size_t t = 0; t < length; ++t) {
    probabilities[t] = exp_nonpositive(scaled(logits[begin + t], highest, temperature));
  }
  for (std::size_t t = 0; t < length; ++t) weights[t] = to_weight(probabilities[t]);
  return length;
}

std::int32_t Sampler::draw(SamplingScratch& scratch, float highest) {
  const Weight min_weight = std::max(at_least(params_.min_p, kOne), Weight{1});
  std::vector<Candidate>& candidates = scratch.candidates_;
  if (params_.top_k > 0) {
    select_top_k(scratch.logits_, static_cast<std::size_t>(params_.top_k), candidates);
    for (Candidate& candidate : candidates) candidate.weight = weigh(candidate.logit, highest);
    if (params_.top_p < 1.0F) keep_top_p(candidates, total_weight(candidates));
  } else if (params_.top_p < 1.0F) {
    const Weight total = weigh_blocks(scratch, highest);
    // Tokens lighter than (1 - top_p) * total / vocab_size weigh less than (1 - top_p) * total
    // together, so the tokens that make up top_p are among the others: usually very few.
    const double unneeded = (1.0 - static_cast<double>(params_.top_p)) *
                            static_cast<double>(total) / static_cast<double>(vocab_size_);
    select_heavy(scratch, highest, std::max(static_cast<Weight>(unneeded), Weight{1}));
    keep_top_p(candidates, total);
  } else if (params_.min_p > 0.0F) {
    select_heavy(scratch, highest, min_weight);
  } else {
    return draw_from_all(scratch, highest);
  }
  std::erase_if(candidates, [&](const Candidate& c) { return c.weight < min_weight; });
  return draw_from_candidates(candidates);
}

Weight Sampler::weigh(float logit, float highest) const {
  return to_weight(exp_nonpositive(scaled(logit, highest, params_.temperature)));
}

void Sampler::select_heavy(SamplingScratch& scratch, float highest, Weight lightest) const {
  // The logarithm only spares the exponential of most tokens; its margin is far above its error.
  constexpr double kMargin = 1e-3;
  const double log_ratio = std::log(static_cast<double>(lightest) / static_cast<double>(kOne));
  const float threshold = static_cast<float>(log_ratio - kMargin);
  scratch.candidates_.clear();
  for (std::size_t id = 0; id < scratch.logits_.size(); ++id) {
    const float logit = scratch.logits_[id];
    if (scaled(logit, highest, params_.temperature) < threshold) continue;
    const Weight weight = weigh(logit, highest);
    if (weight < lightest) continue;
    scratch.candidates_.push_back({logit, static_cast<std::int32_t>(id), weight});
  }
}

std::int32_t Sampler::draw_from_all(SamplingScratch& scratch, float highest) {
  Weight target = random_.below(weigh_blocks(scratch, highest));
  std::size_t block = 0;
  while (target >= scratch.block_weights_[block]) target -= scratch.block_weights_[block++];
  BlockWeights weights;
  weigh_block(scratch.logits_, block, highest, weights);
  std::size_t token = 0;
  while (target >= weights[token]) target -= weights[token++];
  return static_cast<std::int32_t>(block * kBlockTokens + token);
}

void Sampler::keep_top_p(std::vector<Candidate>& candidates, Weight total) const {
  const Weight available = total_weight(candidates);
  const Weight target = std::clamp(at_least(params_.top_p, total), Weight{1}, available);
  candidates.resize(shortest_prefix(std::span(candidates), target, higher_weight));
}

std::int32_t Sampler::draw_from_candidates(std::vector<Candidate>& candidates) {
  // In order of id, whatever filters came before: the draw depends on the surviving set alone.
  const Weight target = random_.below(total_weight(candidates)) + 1;
  return candidates[shortest_prefix(std::span(candidates), target, lower_id) - 1].id;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (getentropy(&seed, sizeof seed) != 0) {
    seed = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  return seed;
}

}  // namespace llm::sampling
