#include "models/head_linear.h"

#include <algorithm>

namespace llm::models {
namespace {

// Rows that a thread prepares at a time.
constexpr std::int64_t kRowSlice = 32;

std::size_t prepared_bytes(const kernels::PackedMatrix& matrix, const kernels::Ops& ops) {
  const std::size_t bytes =
      static_cast<std::size_t>(kRowSlice) * ops.input_row_bytes(matrix.input, matrix.cols);
  return (bytes + 63) / 64 * 64;
}

}  // namespace

void HeadLinear::apply(const Input& x, const Output& y, std::int64_t rows,
                       const Compute& compute) const {
  const auto n_heads = static_cast<std::int64_t>(heads.size());
  const std::int64_t slices = (rows + kRowSlice - 1) / kRowSlice;
  const kernels::Ops& ops = *compute.ops;
  compute.pool->parallel_for(n_heads * slices, [&](std::int64_t piece, int thread) {
    const std::int64_t head = piece % n_heads;
    const std::int64_t first = piece / n_heads * kRowSlice;
    const std::int64_t count = std::min(kRowSlice, rows - first);
    const kernels::PackedMatrix& matrix = heads[static_cast<std::size_t>(head)].matrix;
    std::byte* prepared = compute.scratch(thread);
    ops.prepare_input(matrix.input, x.at + first * x.row + head * x.head, x.row, matrix.cols, 0,
                      count, prepared);
    const kernels::MatmulArgs args{.w = &matrix,
                                   .x = prepared,
                                   .tokens = count,
                                   .y = y.at + first * y.row + head * y.head,
                                   .y_stride = y.row,
                                   .bias = nullptr,
                                   .accumulate = false};
    ops.matmul(args, 0, matrix.panels(), prepared + prepared_bytes(matrix, ops));
  });
}

std::size_t HeadLinear::scratch_bytes(const kernels::Ops& ops) const {
  if (heads.empty()) return 0;
  const kernels::PackedMatrix& matrix = heads.front().matrix;
  return prepared_bytes(matrix, ops) + ops.matmul_scratch_bytes(matrix.dtype, matrix.cols);
}

std::size_t HeadLinear::bytes() const {
  std::size_t sum = 0;
  for (const Linear& head : heads) sum += head.bytes();
  return sum;
}

}  // namespace llm::models
