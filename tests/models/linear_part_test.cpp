// Which rows of a tensor make up a matrix, worked out by hand.
#include "models/linear_part.h"

#include <gtest/gtest.h>

#include <vector>

namespace llm::models {
namespace {

using Rows = std::vector<std::int64_t>;

Rows rows_of(const LinearPart& part) {
  Rows rows;
  for (std::int64_t row = 0; row < part.rows; ++row) rows.push_back(part.row_in_file(row));
  return rows;
}

TEST(LinearPart, ATensorOfItsOwn) {
  const LinearPart part{.name = "w.weight", .rows = 3};
  EXPECT_EQ(rows_of(part), (Rows{0, 1, 2}));
  EXPECT_EQ(part.shape_in_file(5), (core::Shape{3, 5}));
}

TEST(LinearPart, APartOfAFusedTensor) {
  const LinearPart part{.name = "w.weight", .rows = 2, .stored_rows = 8, .blocks = {.offset = 4}};
  EXPECT_EQ(rows_of(part), (Rows{4, 5}));
  EXPECT_EQ(part.shape_in_file(5), (core::Shape{8, 5}));
}

TEST(LinearPart, GroupsOfQueriesAKeyAndAValue) {
  // Two groups of two query heads, a key head and a value head, one row each: q q k v q q k v.
  const auto part = [](std::int64_t rows, std::int64_t offset, std::int64_t block) -> LinearPart {
    return {.name = "w.weight",
            .rows = rows,
            .stored_rows = 8,
            .blocks = {.offset = offset, .block = block, .period = 4}};
  };
  EXPECT_EQ(rows_of(part(4, 0, 2)), (Rows{0, 1, 4, 5}));
  EXPECT_EQ(rows_of(part(2, 2, 1)), (Rows{2, 6}));
  EXPECT_EQ(rows_of(part(2, 3, 1)), (Rows{3, 7}));
}

TEST(LinearPart, InterleavedPairsBecomeHalves) {
  // Two heads of four rows: pairs (0, 1) and (2, 3) become (0, 2) and (1, 3).
  const LinearPart part{.name = "w.weight", .rows = 8, .interleaved_head_dim = 4};
  EXPECT_EQ(rows_of(part), (Rows{0, 2, 1, 3, 4, 6, 5, 7}));
  // Only the last four of six rows of a head rotate.
  const LinearPart latent{
      .name = "w.weight", .rows = 6, .interleaved_head_dim = 6, .interleaved_first = 2};
  EXPECT_EQ(rows_of(latent), (Rows{0, 1, 2, 4, 3, 5}));
}

TEST(LinearPart, OneOfStackedMatrices) {
  // The second half of expert 1 of 3, experts of 4 rows.
  const LinearPart part{.name = "w.weight",
                        .rows = 2,
                        .stored_rows = 4,
                        .blocks = {.offset = 1 * 4 + 2},
                        .stored_matrices = 3};
  EXPECT_EQ(rows_of(part), (Rows{6, 7}));
  EXPECT_EQ(part.shape_in_file(5), (core::Shape{3, 4, 5}));
  const LinearPart flat{.name = "w.weight", .rows = 1, .stored_flat = true};
  EXPECT_EQ(flat.shape_in_file(5), (core::Shape{5}));
}

TEST(LinearPart, ABiasIsCalledAsItsWeight) {
  EXPECT_EQ(bias_name("blk.0.attn_q.weight"), "blk.0.attn_q.bias");
}

}  // namespace
}  // namespace llm::models
