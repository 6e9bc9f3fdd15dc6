#include "engine/row_choices.h"

#include <algorithm>
#include <atomic>

#include "engine/guarded.h"

namespace llm::engine {
namespace {

// Each has some megabytes of its own, and a row takes a fraction of a millisecond: more would cost
// memory on machines with many cores and hardly gain time.
constexpr int kMostSamplers = 8;

}  // namespace

RowChoices::RowChoices(std::int64_t vocab_size, int max_sequences, const EosTokens& eos,
                       core::ThreadPool& pool)
    : vocab_size_(static_cast<std::size_t>(vocab_size)), eos_(eos), pool_(pool) {
  const int count = samplers(max_sequences, pool.size());
  scratch_.reserve(static_cast<std::size_t>(count));
  for (int n = 0; n < count; ++n) scratch_.emplace_back(vocab_size);
}

int RowChoices::samplers(int max_sequences, int threads) {
  return std::clamp(std::min(max_sequences, threads), 1, kMostSamplers);
}

std::size_t RowChoices::bytes_for(std::int64_t vocab_size, int max_sequences, int threads) {
  return static_cast<std::size_t>(samplers(max_sequences, threads)) *
         sampling::SamplingScratch::bytes_for(vocab_size);
}

Result<std::span<RowChoice>> RowChoices::compute(std::span<const WantedRow> rows,
                                                 std::span<const float> logits) {
  choices_.assign(rows.size(), {});
  std::atomic<std::size_t> next_row{0};
  std::atomic<bool> no_memory{false};  // not even to say so: nothing may leave a thread of the pool
  const auto pieces = static_cast<std::int64_t>(std::min(rows.size(), scratch_.size()));
  pool_.parallel_for(pieces, [&](std::int64_t piece, int) {
    sampling::SamplingScratch& scratch = scratch_[static_cast<std::size_t>(piece)];
    for (std::size_t row; (row = next_row.fetch_add(1)) < rows.size();) {
      const auto row_logits = logits.subspan(row * vocab_size_, vocab_size_);
      try {
        choices_[row].status = guarded("choosing a token", [&] {
          return compute_row(rows[row], row_logits, scratch, choices_[row]);
        });
      } catch (...) {
        no_memory.store(true);
      }
    }
  });
  if (no_memory.load()) return core::resource_exhausted("choosing tokens: out of memory");
  return std::span(choices_);
}

Status RowChoices::compute_row(const WantedRow& row, std::span<const float> logits,
                               sampling::SamplingScratch& scratch, RowChoice& choice) const {
  Sequence& sequence = *row.sequence;
  if (sequence.ended) return {};
  if (row.position + 1 == sequence.length()) return choose_next(sequence, logits, scratch, choice);
  if (!sequence.reports_prompt(row.position)) return {};
  choice.kind = RowChoice::Kind::prompt_token;
  choice.token = sequence.tokens[static_cast<std::size_t>(row.position + 1)];
  LLM_ASSIGN_OR_RETURN(choice.logprobs,
                       sampling::token_logprobs(logits, choice.token, *sequence.prompt_logprobs));
  return {};
}

Status RowChoices::choose_next(Sequence& sequence, std::span<const float> logits,
                               sampling::SamplingScratch& scratch, RowChoice& choice) const {
  choice.kind = RowChoice::Kind::next_token;
  const bool may_end = sequence.generated() >= sequence.min_tokens;
  const std::span<const std::int32_t> banned =
      may_end ? std::span<const std::int32_t>() : std::span(eos_.ids());
  LLM_ASSIGN_OR_RETURN(
      choice.token,
      sequence.sampler.sample(logits, sequence.tokens, sequence.prompt_length, scratch, banned));
  choice.ends = eos_.is_eos(choice.token) && !sequence.ignore_eos;
  if (choice.ends || sequence.logprobs == 0) return {};
  LLM_ASSIGN_OR_RETURN(choice.logprobs,
                       sampling::token_logprobs(logits, choice.token, sequence.logprobs));
  return {};
}

}  // namespace llm::engine
