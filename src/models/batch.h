// Batch: the unit of work of a model step, ragged: rows of any mix of sequences and positions.
// Prefill of one prompt, decode of forty sequences and a mix of both are the same call.
#pragma once

#include <cstdint>
#include <span>

namespace llm::models {

struct BatchRow {
  std::int32_t token = 0;
  std::int64_t position = 0;  ///< within its sequence, from 0
  std::int32_t sequence = 0;  ///< index into Batch::page_tables
  bool wants_logits = false;
  /// Length of the sequence that this computation is for; chooses the rotary frequencies where they
  /// depend on it (Rope::epoch).
  std::int64_t rotary_length = 0;
};

/// Rows of one sequence are consecutive, with rising positions, and every earlier position of the
/// sequence is in the cache already or in this batch.
struct Batch {
  std::span<const BatchRow> rows;
  /// Per sequence, the ids of its pages in order of position; enough for its highest position here.
  std::span<const std::int32_t* const> page_tables;
};

}  // namespace llm::models
