// One token with f16 weights, without tiles: the same sums in the same order, from fused
// multiply-adds. A tile product adds, to each output, the sum of two chains of 16 multiply-adds,
// one over even and one over odd columns (TDPBF16PS in the Intel SDM; that it takes subnormal
// numbers for zero makes no difference here, as no product of parts of f16 is that small). Saves
// the way of the unpacked weights through memory. Included after isa.h.
#pragma once

#include "kernels/cpu/amx/weights.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// Even and odd column of a pair of bf16 of the activations, for all lanes.
struct PairInput {
  F32 even, odd;
};

LLM_INLINE PairInput load_pair(const std::byte* row, std::int64_t pair) {
  const Bf16Pairs both = load_bf16_input(row, pair);
  return {{_mm512_castsi512_ps(_mm512_slli_epi32(both.v, 16))},
          {_mm512_castsi512_ps(upper_halves(both.v))}};
}

/// The weights of one column, read as one cache line; zeros where there is no such column.
struct Column {
  LLM_INLINE explicit Column(const std::byte* at, bool exists = true)
      : bits(exists ? _mm512_loadu_si512(at) : _mm512_setzero_si512()) {}
  LLM_INLINE F32 vector(int v) const {
    return {_mm512_cvtph_ps(v == 0 ? _mm512_castsi512_si256(bits)
                                   : _mm512_extracti64x4_epi64(bits, 1))};
  }
  __m512i bits;
};
static_assert(kPanelRows * 2 == sizeof(__m512i));

/// Sums of one panel: [part of the activations][vector of outputs].
struct OneTokenSums {
  F32 at[2][kPanelVectors];
};

/// `x`: the two parts of the token, x_row_bytes apart.
LLM_INLINE OneTokenSums one_token(const std::byte* panel, std::int64_t cols, const std::byte* x,
                                  std::int64_t x_row_bytes) {
  OneTokenSums sums = {};
  for (std::int64_t column = 0; column < cols; column += kBf16Columns) {
    // [part of the activations][vector][part of the weights]
    F32 even[2][kPanelVectors][2] = {};
    F32 odd[2][kPanelVectors][2] = {};
    const std::int64_t left = cols - column < kBf16Columns ? cols - column : kBf16Columns;
    for (std::int64_t c = 0; c < left; c += 2) {
      const std::byte* at = panel + (column + c) * F16Weights::kColumnBytes;
      const PairInput inputs[2] = {load_pair(x, (column + c) / 2),
                                   load_pair(x + x_row_bytes, (column + c) / 2)};
      __builtin_prefetch(at + kPrefetchBytes);
      __builtin_prefetch(at + kPrefetchBytes + F16Weights::kColumnBytes);
      const Column even_column(at);
      const Column odd_column(at + F16Weights::kColumnBytes, c + 1 < left);
      LLM_UNROLL
      for (int v = 0; v < kPanelVectors; ++v) {
        const Parts w_even = split(even_column.vector(v));
        const Parts w_odd = split(odd_column.vector(v));
        LLM_UNROLL
        for (int part = 0; part < 2; ++part) {
          even[part][v][0] = mul_add(w_even.high, inputs[part].even, even[part][v][0]);
          even[part][v][1] = mul_add(w_even.low, inputs[part].even, even[part][v][1]);
          odd[part][v][0] = mul_add(w_odd.high, inputs[part].odd, odd[part][v][0]);
          odd[part][v][1] = mul_add(w_odd.low, inputs[part].odd, odd[part][v][1]);
        }
      }
    }
    LLM_UNROLL
    for (int part = 0; part < 2; ++part) {
      LLM_UNROLL
      for (int v = 0; v < kPanelVectors; ++v) {
        sums.at[part][v] = sums.at[part][v] + (even[part][v][0] + odd[part][v][0]);
        sums.at[part][v] = sums.at[part][v] + (even[part][v][1] + odd[part][v][1]);
      }
    }
  }
  return sums;
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
