// LinearPart: one matrix of the network as it stands in a file: a tensor of its own, a part of a
// fused or stacked one, in the file's order of rows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/shape.h"

namespace llm::models {

enum class BiasRule : std::uint8_t { none, optional, required };

/// Which rows of a stored matrix make up a part of it: blocks of `block` rows, one every `period`
/// rows, from row `offset` on. block 0: one block of all the part's rows.
struct RowBlocks {
  std::int64_t offset = 0;
  std::int64_t block = 0;
  std::int64_t period = 0;
};

struct LinearPart {
  std::string name;  ///< of the weight; the bias has ".bias" for ".weight"
  std::int64_t rows = 0;
  BiasRule bias = BiasRule::none;
  /// > 0: rows come in heads of this many, stored for interleaved rotary pairs (2i, 2i+1); they are
  /// put in the order of halves (i, i + d/2) here.
  std::int64_t interleaved_head_dim = 0;
  std::int64_t interleaved_first = 0;  ///< only the rows of a head from this one on are so stored
  std::int64_t stored_rows = 0;  ///< of the whole matrix, where this is a part of it; 0: `rows`
  RowBlocks blocks = {};
  std::int64_t stored_matrices = 0;  ///< > 0: the tensor stacks so many matrices of stored_rows
  bool stored_flat = false;          ///< the tensor is a vector: one row
  bool keep_f32 = false;             ///< whatever the model's type is

  /// Rows of the stored matrix, those of other parts included.
  std::int64_t rows_in_file() const { return stored_rows > 0 ? stored_rows : rows; }
  /// Row of the tensor, its stacked matrices laid end to end, that holds row `row` of this part.
  std::int64_t row_in_file(std::int64_t row) const;
  /// The tensor's name, followed by which of its rows in which order make up the part where that is
  /// not all of them as stored. Different parts have different texts.
  std::string describe() const;
  /// What the tensor's shape must be.
  core::Shape shape_in_file(std::int64_t cols) const;
};

/// The name of a weight's bias: ".bias" in place of ".weight".
std::string bias_name(std::string_view weight);

}  // namespace llm::models
