#include "sampling/sampler.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cfloat>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/check.h"
#include "core/error.h"

namespace llm::sampling {
namespace {

constexpr std::int64_t kMaxVocabSize = std::int64_t{1} << 23;

// Keeps finite logits finite: a penalty close to 0 must not turn a logit into +infinity.
float bounded(float logit) {
  if (logit == -std::numeric_limits<float>::infinity()) return logit;
  return std::clamp(logit, -FLT_MAX, FLT_MAX);
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
      block_highest_(blocks_of(logits_.size())),
      block_weights_(block_highest_.size()),
      counts_(static_cast<std::size_t>(vocab_size)) {
  candidates_.reserve(block_highest_.size() * kBlockTokens);
}

std::size_t SamplingScratch::bytes_for(std::int64_t vocab_size) {
  const auto tokens = static_cast<std::size_t>(vocab_size);
  return tokens * (sizeof(float) + sizeof(std::uint32_t)) +
         blocks_of(tokens) * (sizeof(float) + sizeof(Weight) + kBlockTokens * sizeof(Candidate));
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

  std::span<const float> changed = logits;
  if (changes_logits(banned)) {
    LLM_RETURN_IF_ERROR(copy_logits(logits, scratch.logits_));
    LLM_RETURN_IF_ERROR(change_logits(history, prompt_length, scratch, banned));
    changed = scratch.logits_;
  }
  LLM_ASSIGN_OR_RETURN(const ScannedRow row, scan_row(changed, scratch.block_highest_));
  if (row.highest == -std::numeric_limits<float>::infinity()) {
    return core::invalid_argument("all {} tokens are masked: none can be chosen", vocab_size_);
  }
  if (params_.temperature != 0.0F) return draw(scratch, row);
  const auto block = static_cast<std::size_t>(
      std::find(row.block_highest.begin(), row.block_highest.end(), row.highest) -
      row.block_highest.begin());
  const std::span<const float> tokens = row.block(block);
  return static_cast<std::int32_t>(block * kBlockTokens) +
         static_cast<std::int32_t>(std::find(tokens.begin(), tokens.end(), row.highest) -
                                   tokens.begin());
}

bool Sampler::changes_logits(std::span<const std::int32_t> banned) const {
  return !params_.logit_bias.empty() || !banned.empty() || params_.repetition_penalty != 1.0F ||
         params_.presence_penalty != 0.0F || params_.frequency_penalty != 0.0F;
}

// Bias, bans and penalties, on the copy of the logits.
Status Sampler::change_logits(std::span<const std::int32_t> history, std::int64_t prompt_length,
                              SamplingScratch& scratch,
                              std::span<const std::int32_t> banned) const {
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
  return {};
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
Weight Sampler::weigh_blocks(SamplingScratch& scratch, const ScannedRow& row) const {
  Weight total = 0;
  for (std::size_t block = 0; block < row.block_highest.size(); ++block) {
    BlockWeights weights;
    weigh_block(row.block(block), row.highest, params_.temperature, weights);
    const Weight sum = std::accumulate(weights.begin(), weights.end(), Weight{0});
    scratch.block_weights_[block] = sum;
    total += sum;
  }
  return total;
}

std::int32_t Sampler::draw(SamplingScratch& scratch, const ScannedRow& row) {
  const Weight min_weight = std::max(at_least(params_.min_p, kOne), Weight{1});
  std::vector<Candidate>& candidates = scratch.candidates_;
  if (params_.top_k > 0) {
    select_top_k(row, static_cast<std::size_t>(params_.top_k), candidates);
    for (Candidate& candidate : candidates) {
      candidate.weight = weigh_token(candidate.logit, row.highest, params_.temperature);
    }
    if (params_.top_p < 1.0F) keep_top_p(candidates, total_weight(candidates));
  } else if (params_.top_p < 1.0F) {
    const Weight total = weigh_blocks(scratch, row);
    // Tokens lighter than (1 - top_p) * total / vocab_size weigh less than (1 - top_p) * total
    // together, so the tokens that make up top_p are among the others. Where the likeliest token
    // stands out, a few heavy ones are usually enough.
    const double unneeded = (1.0 - static_cast<double>(params_.top_p)) *
                            static_cast<double>(total) / static_cast<double>(vocab_size_);
    const Weight lightest = std::max(static_cast<Weight>(unneeded), Weight{1});
    const Weight heavy = total < 64 * kOne ? std::max(lightest, kOne >> 10) : lightest;
    select_heavy(row, heavy, candidates);
    if (heavy > lightest && total_weight(candidates) < at_least(params_.top_p, total)) {
      select_heavy(row, lightest, candidates);
    }
    keep_top_p(candidates, total);
  } else if (params_.min_p > 0.0F) {
    select_heavy(row, min_weight, candidates);
  } else {
    return draw_from_all(scratch, row);
  }
  std::erase_if(candidates, [&](const Candidate& c) { return c.weight < min_weight; });
  return draw_from_candidates(candidates);
}

void Sampler::select_heavy(const ScannedRow& row, Weight lightest,
                           std::vector<Candidate>& candidates) const {
  // The logarithm only spares most blocks; its margin is far above its error.
  constexpr double kMargin = 1e-3;
  const double log_ratio = std::log(static_cast<double>(lightest) / static_cast<double>(kOne));
  const auto threshold = static_cast<float>(log_ratio - kMargin);
  candidates.clear();
  for (std::size_t block = 0; block < row.block_highest.size(); ++block) {
    if ((row.block_highest[block] - row.highest) / params_.temperature < threshold) continue;
    BlockWeights weights;
    weigh_block(row.block(block), row.highest, params_.temperature, weights);
    const std::span<const float> logits = row.block(block);
    std::size_t size = candidates.size();
    candidates.resize(size + logits.size());
    for (std::size_t t = 0; t < logits.size(); ++t) {
      // Always written, so that there is no jump to guess.
      candidates[size] = {logits[t], static_cast<std::int32_t>(block * kBlockTokens + t),
                          weights[t]};
      size += weights[t] >= lightest ? 1 : 0;
    }
    candidates.resize(size);
  }
}

std::int32_t Sampler::draw_from_all(SamplingScratch& scratch, const ScannedRow& row) {
  Weight target = random_.below(weigh_blocks(scratch, row));
  std::size_t block = 0;
  while (target >= scratch.block_weights_[block]) target -= scratch.block_weights_[block++];
  BlockWeights weights;
  weigh_block(row.block(block), row.highest, params_.temperature, weights);
  std::size_t token = 0;
  while (target >= weights[token]) target -= weights[token++];
  return static_cast<std::int32_t>(block * kBlockTokens + token);
}

void Sampler::keep_top_p(std::vector<Candidate>& candidates, Weight total) const {
  const Weight available = total_weight(candidates);
  keep_heaviest(candidates, std::clamp(at_least(params_.top_p, total), Weight{1}, available));
}

// In order of id, whatever filters came before: the draw depends on the surviving set alone.
std::int32_t Sampler::draw_from_candidates(std::span<const Candidate> candidates) {
  Weight target = random_.below(total_weight(candidates));
  std::size_t index = 0;
  while (target >= candidates[index].weight) target -= candidates[index++].weight;
  return candidates[index].id;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (getentropy(&seed, sizeof seed) != 0) {
    seed = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  return seed;
}

}  // namespace llm::sampling
