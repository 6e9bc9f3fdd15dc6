// f16 as a sum of two bf16: the upper 8 bits of the significand and the other 3, both exact, since
// bf16 has the larger range of exponents. Products of such sums run on the tiles of bf16. Included
// after isa.h.
#pragma once

#include "kernels/cpu/isa.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// The upper half of each 32 bits.
LLM_INLINE __m512i upper_halves(__m512i bits) {
  return _mm512_and_si512(bits, _mm512_set1_epi32(static_cast<int>(0xffff0000u)));
}

/// A value that f16 holds, by its parts.
struct Parts {
  F32 high, low;
};

LLM_INLINE Parts split(F32 x) {
  const F32 high = {_mm512_castsi512_ps(upper_halves(_mm512_castps_si512(x.v)))};
  return {high, x - high};
}

/// 16 pairs of bf16, as tiles and rows of activations hold them.
struct PairParts {
  __m512i high, low;
};

/// The upper halves of both, side by side.
LLM_INLINE __m512i pair_up(F32 even, F32 odd) {
  constexpr __mmask32 kOdd = 0xaaaaaaaau;
  return _mm512_mask_blend_epi16(kOdd, _mm512_srli_epi32(_mm512_castps_si512(even.v), 16),
                                 _mm512_castps_si512(odd.v));
}

/// Pairs (even, odd) of values that f16 holds.
LLM_INLINE PairParts split_pairs(F32 even, F32 odd) {
  return {pair_up(even, odd), pair_up(split(even).low, split(odd).low)};
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
