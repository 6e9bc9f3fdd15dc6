// f16 as a sum of two bf16: the upper 8 bits of the significand and the other 3, both exact, since
// bf16 has the larger range of exponents. Products of such sums run on the tiles of bf16. Included
// after isa.h.
#pragma once

#include "kernels/cpu/isa.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// 16 pairs of bf16, as tiles and rows of activations hold them.
struct PairParts {
  __m512i high, low;
};

/// Pairs (even, odd) of f32 values that f16 holds.
LLM_INLINE PairParts split_pairs(F32 even, F32 odd) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  constexpr __mmask32 kOdd = 0xaaaaaaaau;
  const __m512i even_bits = _mm512_castps_si512(even.v);
  const __m512i odd_bits = _mm512_castps_si512(odd.v);
  const F32 even_high = {_mm512_castsi512_ps(_mm512_and_si512(even_bits, upper))};
  const F32 odd_high = {_mm512_castsi512_ps(_mm512_and_si512(odd_bits, upper))};
  const __m512i even_low = _mm512_castps_si512((even - even_high).v);
  const __m512i odd_low = _mm512_castps_si512((odd - odd_high).v);
  return {_mm512_mask_blend_epi16(kOdd, _mm512_srli_epi32(even_bits, 16), odd_bits),
          _mm512_mask_blend_epi16(kOdd, _mm512_srli_epi32(even_low, 16), odd_low)};
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
