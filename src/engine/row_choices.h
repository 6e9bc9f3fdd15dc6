// RowChoices: what the logits of a step's rows say: the next token of a sequence, and the
// log-probabilities that its request wants. The rows of a step are shared out to the threads of the
// pool; nobody is told anything here, so that no thread but the engine's meets an observer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/thread_pool.h"
#include "engine/scheduler.h"
#include "llm/model_info.h"
#include "llm/status.h"
#include "sampling/logprobs.h"
#include "sampling/sampler.h"

namespace llm::engine {

struct RowChoice {
  enum class Kind { none, prompt_token, next_token };

  Kind kind = Kind::none;
  Status status;           // ok, or why nothing could be found out
  std::int32_t token = 0;  // the prompt's at the position after the row's, or the next
  bool ends = false;       // it is an end token that its request does not ignore
  std::optional<sampling::TokenLogprobs> logprobs;
};

class RowChoices {
 public:
  /// `pool` and `eos` must outlive this object. `max_sequences`: that ever have a row in a step.
  RowChoices(std::int64_t vocab_size, int max_sequences, const EosTokens& eos,
             core::ThreadPool& pool);
  /// Memory of one with so many threads.
  static std::size_t bytes_for(std::int64_t vocab_size, int max_sequences, int threads);

  /// `logits`: (rows, vocab_size); each sequence has at most one row that is its last. Rows of those
  /// that have ended are left out. Valid until the next call. An error means that none could be
  /// found out.
  Result<std::span<RowChoice>> compute(std::span<const WantedRow> rows,
                                       std::span<const float> logits);

 private:
  static int samplers(int max_sequences, int threads);
  Status compute_row(const WantedRow& row, std::span<const float> logits,
                     sampling::SamplingScratch& scratch, RowChoice& choice) const;
  Status choose_next(Sequence& sequence, std::span<const float> logits,
                     sampling::SamplingScratch& scratch, RowChoice& choice) const;

  std::size_t vocab_size_;
  const EosTokens& eos_;
  core::ThreadPool& pool_;
  std::vector<sampling::SamplingScratch> scratch_;  // of each thread that takes part
  std::vector<RowChoice> choices_;
};

}  // namespace llm::engine
