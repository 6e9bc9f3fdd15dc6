#include "models/linear.h"

#include <algorithm>
#include <numeric>

#include "core/check.h"

namespace llm::models {
namespace {

// Most rows per slice of element-wise work: few enough to balance. Of few rows, such as those of
// a step that decodes, every thread gets some.
constexpr std::int64_t kRowSlice = 8;

// Fewest panels that a thread multiplies at a time. Of many rows, several: the rows, which may be
// more than its cache holds, are then read less often.
constexpr std::int64_t kManyRows = 32;
constexpr std::int64_t kPanelsOfManyRows = 4;

/// `columns` outputs of a matrix, from output `first` on, which begins a panel.
kernels::PackedMatrix part_of(const kernels::PackedMatrix& matrix, std::int64_t first,
                              std::int64_t columns) {
  kernels::PackedMatrix part = matrix;
  part.data += static_cast<std::size_t>(first / matrix.panel_rows) * matrix.panel_bytes;
  part.rows = columns;
  return part;
}

}  // namespace

void Compute::for_rows(std::int64_t rows,
                       core::FunctionRef<void(std::int64_t, std::int64_t)> body) const {
  const std::int64_t size =
      std::clamp<std::int64_t>(rows / (2 * std::int64_t{pool->size()}), 1, kRowSlice);
  pool->parallel_for((rows + size - 1) / size, [&](std::int64_t slice, int) {
    body(slice * size, std::min(rows, (slice + 1) * size));
  });
}

void MatmulInput::set(const float* x, std::int64_t rows, std::int64_t cols) {
  x_ = x;
  rows_ = rows;
  cols_ = cols;
  ready_.fill(false);
}

const std::byte* MatmulInput::as(kernels::InputFormat format, const Compute& compute) {
  const auto index = static_cast<std::size_t>(format);
  const std::size_t row = compute.ops->input_row_bytes(format, cols_);
  if (format == kernels::InputFormat::f32 &&
      row == static_cast<std::size_t>(cols_) * sizeof(float)) {
    return reinterpret_cast<const std::byte*>(x_);
  }
  std::byte* out = buffers_[index];
  if (!ready_[index]) {
    compute.for_rows(rows_, [&](std::int64_t begin, std::int64_t end) {
      compute.ops->prepare_input(format, x_, cols_, cols_, begin, end, out);
    });
    ready_[index] = true;
  }
  return out;
}

void LinearGroup::apply(MatmulInput& input, float* y, std::int64_t y_stride, bool accumulate,
                        const Compute& compute) const {
  // At most q, k, v or gate, up: a fixed array keeps the step free of allocation.
  constexpr std::size_t kMaxMembers = 8;
  std::array<kernels::MatmulArgs, kMaxMembers> args;
  std::array<std::int64_t, kMaxMembers + 1> first_panel{};
  LLM_CHECK(members_.size() <= kMaxMembers);
  std::int64_t column = 0;
  for (std::size_t m = 0; m < members_.size(); ++m) {
    const Linear& member = members_[m];
    args[m] = {.w = &member.matrix,
               .x = input.as(member.matrix.input, compute),
               .tokens = input.rows(),
               .y = y + column,
               .y_stride = y_stride,
               .bias = member.bias.empty() ? nullptr : member.bias.data(),
               .accumulate = accumulate};
    column += member.matrix.rows;
    first_panel[m + 1] = first_panel[m] + member.matrix.panels();
  }
  const std::int64_t least = input.rows() < kManyRows ? 1 : kPanelsOfManyRows;
  compute.pool->parallel_ranges(
      first_panel[members_.size()], least, [&](std::int64_t begin, std::int64_t end, int thread) {
        for (std::size_t m = 0; m < members_.size(); ++m) {
          const std::int64_t first = std::max(begin, first_panel[m]);
          const std::int64_t last = std::min(end, first_panel[m + 1]);
          if (first >= last) continue;
          compute.ops->matmul(args[m], first - first_panel[m], last - first_panel[m],
                              compute.scratch(thread));
        }
      });
}

void LinearGroup::apply_activated(MatmulInput& input, kernels::Activation activation, float* work,
                                  float* y, const Compute& compute) const {
  constexpr std::size_t kMaxMembers = 2;
  LLM_CHECK(!members_.empty() && members_.size() <= kMaxMembers);
  const std::int64_t size = members_[0].matrix.rows;
  const auto n_members = static_cast<std::int64_t>(members_.size());
  const std::int64_t rows = input.rows();
  std::array<const std::byte*, kMaxMembers> x{};
  std::int64_t unit = 1;  // outputs, whole panels of every member
  for (std::size_t m = 0; m < members_.size(); ++m) {
    LLM_CHECK(members_[m].matrix.rows == size);
    x[m] = input.as(members_[m].matrix.input, compute);
    unit = std::lcm(unit, members_[m].matrix.panel_rows);
  }
  const bool many = rows >= kManyRows;
  compute.pool->parallel_ranges(
      (size + unit - 1) / unit, many ? kPanelsOfManyRows / n_members : 1,
      [&](std::int64_t begin, std::int64_t end, int thread) {
        const std::int64_t last = std::min(end * unit, size);
        const std::int64_t most = many ? kPanelsOfManyRows * unit : last - begin * unit;
        float* products = work + rows * n_members * begin * unit;  // of this range alone
        for (std::int64_t first = begin * unit; first < last; first += most) {
          const std::int64_t columns = std::min(most, last - first);
          for (std::size_t m = 0; m < members_.size(); ++m) {
            const Linear& member = members_[m];
            const kernels::PackedMatrix part = part_of(member.matrix, first, columns);
            const kernels::MatmulArgs args{
                .w = &part,
                .x = x[m],
                .tokens = rows,
                .y = products + static_cast<std::int64_t>(m) * columns,
                .y_stride = n_members * columns,
                .bias = member.bias.empty() ? nullptr : member.bias.data() + first,
                .accumulate = false};
            compute.ops->matmul(args, 0, part.panels(), compute.scratch(thread));
          }
          for (std::int64_t row = 0; row < rows; ++row) {
            const float* gate = products + row * n_members * columns;
            compute.ops->activate(activation, gate, n_members > 1 ? gate + columns : nullptr,
                                  y + row * size + first, columns);
          }
        }
      });
}

std::int64_t LinearGroup::outputs() const {
  std::int64_t sum = 0;
  for (const Linear& member : members_) sum += member.matrix.rows;
  return sum;
}

std::size_t LinearGroup::bytes() const {
  std::size_t sum = 0;
  for (const Linear& member : members_) sum += member.bytes();
  return sum;
}

}  // namespace llm::models
