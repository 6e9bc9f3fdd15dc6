// Sampler: chooses the next token of one request from its logits. The chain, in this order: logit
// bias, repetition penalty, presence and frequency penalty, temperature (0 = greedy, ties to the
// lowest id), top-k, top-p, min-p, draw. Tokens at -infinity are masked and never chosen.
//
// The result depends on the parameters, the seed, the number of draws before, the logits and the
// history alone. One sampler per request, one thread at a time. SamplingScratch is the working
// memory, one per thread that samples; nothing it holds outlives a call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "llm/sampling.h"
#include "llm/status.h"
#include "sampling/candidates.h"
#include "sampling/random.h"
#include "sampling/weigh.h"

namespace llm::sampling {

/// Allocated once for a vocabulary.
class SamplingScratch {
 public:
  explicit SamplingScratch(std::int64_t vocab_size);
  /// Memory of the scratch for a vocabulary of that size.
  static std::size_t bytes_for(std::int64_t vocab_size);

 private:
  friend class Sampler;
  std::vector<float> logits_;          // (vocab_size), after bias and penalties
  std::vector<float> block_highest_;   // (blocks_of(vocab_size))
  std::vector<Weight> block_weights_;  // the same
  std::vector<std::uint32_t> counts_;  // (vocab_size), all zero between uses
  std::vector<Candidate> candidates_;
};

class Sampler {
 public:
  /// Checks the parameters (SamplingParams::validate, ids of logit_bias against the vocabulary).
  /// Without a seed, one is drawn from the system.
  static Result<Sampler> create(const SamplingParams& params, std::int64_t vocab_size);

  /// The parameters in use, with the seed set.
  const SamplingParams& params() const { return params_; }

  /// Next token after `history`, of which the first `prompt_length` tokens are the prompt; none of
  /// `banned`. Errors: a logit that is NaN or +infinity; every token masked; an id out of range.
  Result<std::int32_t> sample(std::span<const float> logits,  // (vocab_size)
                              std::span<const std::int32_t> history, std::int64_t prompt_length,
                              SamplingScratch& scratch, std::span<const std::int32_t> banned = {});

 private:
  Sampler(const SamplingParams& params, std::int64_t vocab_size, std::uint64_t seed);

  bool changes_logits(std::span<const std::int32_t> banned) const;
  Status change_logits(std::span<const std::int32_t> history, std::int64_t prompt_length,
                       SamplingScratch& scratch, std::span<const std::int32_t> banned) const;
  void apply_bias(std::span<float> logits) const;
  void apply_repetition_penalty(std::span<const std::int32_t> window,
                                SamplingScratch& scratch) const;
  void apply_count_penalties(std::span<const std::int32_t> output, SamplingScratch& scratch) const;
  std::int32_t draw(SamplingScratch& scratch, const ScannedRow& row);
  std::int32_t draw_from_all(SamplingScratch& scratch, const ScannedRow& row);
  std::int32_t draw_from_candidates(std::span<const Candidate> candidates);
  void select_heavy(const ScannedRow& row, Weight lightest,
                    std::vector<Candidate>& candidates) const;
  void keep_top_p(std::vector<Candidate>& candidates, Weight total) const;
  Weight weigh_blocks(SamplingScratch& scratch, const ScannedRow& row) const;

  SamplingParams params_;
  std::int64_t vocab_size_;
  Random random_;
};

/// A seed from the operating system's entropy.
std::uint64_t random_seed();

}  // namespace llm::sampling
