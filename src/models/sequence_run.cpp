#include "models/sequence_run.h"

#include <algorithm>

namespace llm::models {

Result<std::vector<float>> SequenceRun::extend(std::span<const std::int32_t> tokens,
                                               std::int64_t chunk, bool all_positions) {
  const std::int64_t slice = chunk > 0 ? std::min(chunk, decoder_.max_rows()) : decoder_.max_rows();
  const auto before = static_cast<std::int64_t>(tokens_.size());
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  const auto total = static_cast<std::int64_t>(tokens_.size());

  std::vector<float> logits;
  std::int64_t next = all_positions ? before : total - 1;  // next position whose logits are wanted
  while (next < total) {
    // Take along the positions that are computed with the same frequencies.
    const std::int64_t epoch = decoder_.rope().epoch(next + 1);
    std::int64_t end = next + 1;
    while (end < total && decoder_.rope().epoch(end + 1) == epoch) ++end;
    if (epoch != epoch_) computed_ = 0;
    epoch_ = epoch;
    LLM_RETURN_IF_ERROR(compute(end, next, slice, logits));
    next = end;
  }
  return logits;
}

Status SequenceRun::compute(std::int64_t end, std::int64_t first_wanted, std::int64_t slice,
                            std::vector<float>& logits) {
  const std::int32_t* table = pages_.data();
  while (computed_ < end) {
    const std::int64_t stop = std::min(end, computed_ + slice);
    rows_.clear();
    for (std::int64_t position = computed_; position < stop; ++position) {
      rows_.push_back({.token = tokens_[static_cast<std::size_t>(position)],
                       .position = position,
                       .sequence = 0,
                       .wants_logits = position >= first_wanted,
                       .rotary_length = end});
    }
    LLM_RETURN_IF_ERROR(decoder_.forward({rows_, {&table, 1}}));
    computed_ = stop;
    const std::int64_t wanted = decoder_.wanted_rows();
    for (std::int64_t first = 0; first < wanted; first += decoder_.max_logit_rows()) {
      const auto part = decoder_.logits(first, std::min(decoder_.max_logit_rows(), wanted - first));
      logits.insert(logits.end(), part.begin(), part.end());
    }
  }
  return {};
}

}  // namespace llm::models
