// Activation rows in the form the matrix products read. A row's length in bytes is an odd multiple
// of a cache line: the rows of a tile, read side by side, then fall into different cache sets.
//   f32, f16  f32 values, rounded to f16 for f16 weights
//   bf16      pairs of bf16 where the processor multiplies them, padded with zeros to a cache line;
//             else f32 values rounded to bf16
//   q8        Q8Block per 32 columns
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/backend.h"
#include "kernels/cpu/layout.h"
#include "kernels/cpu/quantize.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

constexpr std::int64_t kLine = 64;

LLM_INLINE F32 rounded_to_f16(F32 x) {
  std::uint16_t bits[kLanes];
  store_f16(bits, x);
  return load_f16(bits);
}

[[maybe_unused]] LLM_INLINE F32 rounded_to_bf16(F32 x) {
  std::uint16_t bits[kLanes];
  store_bf16(bits, x);
  return load_bf16(bits);
}

/// Applies `convert(x, c)` to whole vectors of the row, zeros beyond its end; what it stores may
/// reach over the last column, within the row's last cache line.
template <class Convert>
LLM_INLINE void for_each_vector(const float* from, std::int64_t cols, Convert convert) {
  std::int64_t c = 0;
  for (; c + kLanes <= cols; c += kLanes) convert(load(from + c), c);
  if (c < cols) convert(load_partial(from + c, cols - c), c);
}

void quantize_block(const float* from, std::int64_t n, Q8Block& block) {
  block.scale = quantize_to_i8(from, n, block.q);
  std::int32_t sums[3] = {};
  for (int c = 0; c < kQuantBlock / 2; ++c) sums[0] += block.q[c];
  for (int c = kQuantBlock / 2; c < kQuantBlock; ++c) sums[1] += block.q[c];
  sums[2] = sums[0] + sums[1];
  for (int part = 0; part < 3; ++part) {
    block.scaled_sum[part] = block.scale * static_cast<float>(sums[part]);
    block.neg8_sum[part] = -8 * sums[part];
  }
  block.unused = 0;
}

void prepare_row(InputFormat format, const float* from, std::int64_t cols, std::byte* to) {
  auto* floats = reinterpret_cast<float*>(to);
  switch (format) {
    case InputFormat::f32:
      for_each_vector(from, cols, [&](F32 x, std::int64_t c) { store(floats + c, x); });
      break;
    case InputFormat::f16:
      for_each_vector(from, cols,
                      [&](F32 x, std::int64_t c) { store(floats + c, rounded_to_f16(x)); });
      break;
    case InputFormat::bf16:
      // The matrix product reads pairs, or whole cache lines: columns beyond the end are zeros.
      if constexpr (kBf16InputIsPairs) {
        auto* values = reinterpret_cast<std::uint16_t*>(to);
        for_each_vector(from, cols, [&](F32 x, std::int64_t c) { store_bf16(values + c, x); });
        const std::int64_t stored = (cols + kLanes - 1) / kLanes * kLanes;
        if (stored % kBf16Columns != 0) store_bf16(values + stored, zero());
      } else {
        for_each_vector(from, cols,
                        [&](F32 x, std::int64_t c) { store(floats + c, rounded_to_bf16(x)); });
      }
      break;
    case InputFormat::q8:
      for (std::int64_t c = 0; c < cols; c += kQuantBlock) {
        quantize_block(from + c, cols - c, reinterpret_cast<Q8Block*>(to)[c / kQuantBlock]);
      }
      break;
  }
}

}  // namespace

std::size_t input_row_bytes(InputFormat format, std::int64_t cols) {
  std::int64_t bytes = cols * 4;
  if (format == InputFormat::bf16 && kBf16InputIsPairs) bytes = cols * 2;
  if (format == InputFormat::q8) {
    bytes = (cols + kQuantBlock - 1) / kQuantBlock * static_cast<std::int64_t>(sizeof(Q8Block));
  }
  const std::int64_t lines = (bytes + kLine - 1) / kLine;
  return static_cast<std::size_t>((lines | 1) * kLine);
}

void prepare_input(InputFormat format, const float* x, std::int64_t x_stride, std::int64_t cols,
                   std::int64_t row_begin, std::int64_t row_end, std::byte* out) {
  const auto stride = static_cast<std::int64_t>(input_row_bytes(format, cols));
  for (std::int64_t r = row_begin; r < row_end; ++r) {
    prepare_row(format, x + r * x_stride, cols, out + r * stride);
  }
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
