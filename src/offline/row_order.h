// In which order the formats store the rows of attention's matrices. A RowOrder names, for a row of
// a GGUF tensor, the row of the safetensors tensor that it holds.
#pragma once

#include <cstdint>
#include <functional>

namespace llm::offline {

/// Empty: the same row.
using RowOrder = std::function<std::int64_t(std::int64_t row)>;

/// Heads of `head_dim` rows whose rotary pairs lie apart, (i, i + d/2), where GGUF has them side by
/// side, (2i, 2i + 1). 0: the same row.
inline std::int64_t interleaved_row(std::int64_t row, std::int64_t head_dim) {
  if (head_dim == 0) return row;
  const std::int64_t within = row % head_dim;
  return row - within + within % 2 * (head_dim / 2) + within / 2;
}

/// A fused matrix with, for each kv head, the q rows of its query heads, its k rows and its v rows,
/// where GGUF has all q rows, all k rows and all v rows.
struct GroupedQkv {
  std::int64_t q_rows;    ///< of one kv head
  std::int64_t head_dim;  ///< k rows of one kv head, and v rows
  std::int64_t kv_heads;

  std::int64_t operator()(std::int64_t row) const {
    const std::int64_t period = q_rows + 2 * head_dim;
    const std::int64_t all_q = q_rows * kv_heads;
    const std::int64_t all_k = head_dim * kv_heads;
    if (row < all_q) return row / q_rows * period + row % q_rows;
    row -= all_q;
    const std::int64_t part = row < all_k ? 0 : 1;
    row -= part * all_k;
    return row / head_dim * period + q_rows + part * head_dim + row % head_dim;
  }
};

/// Every `period` rows, `block` of them from `offset` on.
struct RowsOfEach {
  std::int64_t offset, block, period;

  std::int64_t operator()(std::int64_t row) const {
    return row / block * period + offset + row % block;
  }
};

}  // namespace llm::offline
