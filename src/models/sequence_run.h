// SequenceRun: computes one sequence outside any schedule, a stretch of tokens at a time; for
// logits on request, measurements and tests. Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/decoder.h"

namespace llm::models {

class SequenceRun {
 public:
  /// `pages`: pages of the decoder's cache, enough for all positions to come. The decoder must
  /// outlive the run.
  SequenceRun(Decoder& decoder, std::vector<std::int32_t> pages)
      : decoder_(decoder), pages_(std::move(pages)) {}

  /// Appends tokens and computes them in slices of at most `chunk` rows (0: as large as possible).
  /// Returns the logits of every new position, or of the last one only: (positions, vocab_size).
  /// Errors as Decoder::forward; the run is over then.
  Result<std::vector<float>> extend(std::span<const std::int32_t> tokens, std::int64_t chunk,
                                    bool all_positions);

 private:
  Status compute(std::int64_t end, std::int64_t first_wanted, std::int64_t slice,
                 std::vector<float>& logits);

  Decoder& decoder_;
  std::vector<std::int32_t> pages_;
  std::vector<std::int32_t> tokens_;
  std::int64_t computed_ = 0;  // leading positions that are in the cache
  std::int64_t epoch_ = 0;     // Rope::epoch they were computed with
  std::vector<BatchRow> rows_;
};

}  // namespace llm::models
