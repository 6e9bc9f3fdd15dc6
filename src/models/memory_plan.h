// divide_memory: how the memory that is free becomes weights, work space and KV cache. What the
// user asked for is kept or refused with numbers; what was left open is chosen so that all of it
// fits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/function_ref.h"
#include "core/memory.h"
#include "llm/status.h"

namespace llm::models {

/// What the user asked for; 0: left open.
struct MemoryWishes {
  std::int64_t context = 0;  ///< positions per sequence
  int sequences = 0;         ///< that run at once
  std::int64_t batch_rows = 0;
  std::size_t kv_cache_bytes = 0;
};

/// What the model takes.
struct MemoryNeeds {
  std::int64_t max_positions = 0;  ///< longest context that the model is made for
  std::size_t weights = 0;
  std::size_t page = 0;  ///< of the KV cache in all layers
  std::size_t tables_per_page = 0;
  /// What the caller takes beside the decoder.
  core::FunctionRef<std::size_t(std::int64_t context, int sequences)> other;
  /// Work space of steps of that many rows, of so many sequences.
  core::FunctionRef<Result<std::size_t>(std::int64_t rows, int sequences)> scratch;
};

struct MemoryDivision {
  std::int64_t context = 0;
  int sequences = 0;
  std::int64_t batch_rows = 0;
  std::int64_t pages = 0;  ///< of the KV cache; at least one full context
};

Result<MemoryDivision> divide_memory(const MemoryWishes& wishes, const MemoryNeeds& needs,
                                     const core::AvailableMemory& available);

}  // namespace llm::models
