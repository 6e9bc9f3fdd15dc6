// Activations for f16 weights on tiles: rounded to f16, then cut into two parts.
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/amx/amx.h"
#include "kernels/cpu/amx/bf16_parts.h"
#include "kernels/cpu/layout.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// An odd number of cache lines: rows side by side then fall into different cache sets.
LLM_INLINE std::int64_t part_bytes(std::int64_t cols) {
  return ((cols + kBf16Columns - 1) / kBf16Columns | 1) * 64;
}

/// Columns [c, c + 2 * kLanes) of a row, zeros beyond its end.
LLM_INLINE PairParts split_columns(const float* row, std::int64_t c, std::int64_t cols) {
  std::uint16_t bits[2 * kLanes];
  for (int v = 0; v < 2; ++v) {
    const std::int64_t left = cols - c - v * kLanes;
    const F32 x = left >= kLanes ? load(row + c + v * kLanes)
                  : left > 0     ? load_partial(row + c + v * kLanes, left)
                                 : zero();
    store_f16(bits + v * kLanes, x);
  }
  // f16 pairs to f32: the even ones are the lower halves of 32 bits.
  const __m512i pairs = _mm512_loadu_si512(bits);
  const auto even = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(pairs));
  const auto odd = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(pairs, 16)));
  return split_pairs({even}, {odd});
}

}  // namespace

std::size_t f16_parts_row_bytes(std::int64_t cols) {
  return static_cast<std::size_t>(2 * part_bytes(cols));
}

void prepare_f16_parts(const float* x, std::int64_t x_stride, std::int64_t cols,
                       std::int64_t row_begin, std::int64_t row_end, std::byte* out) {
  const auto stride = static_cast<std::int64_t>(f16_parts_row_bytes(cols));
  for (std::int64_t r = row_begin; r < row_end; ++r) {
    std::byte* to = out + r * stride;
    for (std::int64_t c = 0; c < cols; c += 2 * kLanes) {
      const PairParts parts = split_columns(x + r * x_stride, c, cols);
      _mm512_storeu_si512(to + c * 2, parts.high);
      _mm512_storeu_si512(to + part_bytes(cols) + c * 2, parts.low);
    }
  }
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
