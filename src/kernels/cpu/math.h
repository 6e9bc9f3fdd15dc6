// Elementary functions on vectors, the same code for every instruction set. Included after isa.h.
#pragma once

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// x * 2^n, for n from -151 to 129, given as both types; rounded once.
LLM_INLINE F32 times_power_of_two(F32 x, [[maybe_unused]] I32 n, [[maybe_unused]] F32 n_float) {
#if defined(__AVX512F__)
  return {_mm512_scalef_ps(x.v, n_float.v)};
#else
  // In two factors, so that results below the smallest normal number round once.
  const I32 n_low = shift_right_signed<1>(n);
  const I32 n_high = n - n_low;
  const I32 bias = splat(std::int32_t{127});
  return x * from_bits(shift_left<23>(n_low + bias)) * from_bits(shift_left<23>(n_high + bias));
#endif
}

/// e^x within 2 units in the last place; 0 for -inf and below -104, inf above 88.73; NaN stays.
LLM_INLINE F32 exp_f32(F32 x) {
  x = smaller(splat(89.0f), larger(splat(-104.0f), x));
  // x = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to an integer in the low bits.
  const F32 magic = splat(0x1.8p23f);
  const F32 shifted = mul_add(x, splat(1.44269504f), magic);
  const I32 n = bits_of(shifted) - bits_of(magic);
  const F32 n_float = shifted - magic;
  // ln 2 in two parts; the first has so few bits that n times it is exact.
  F32 r = mul_add(n_float, splat(-0.693359375f), x);
  r = mul_add(n_float, splat(2.12194440e-4f), r);
  F32 p = splat(1.9875691500e-4f);
  p = mul_add(p, r, splat(1.3981999507e-3f));
  p = mul_add(p, r, splat(8.3334519073e-3f));
  p = mul_add(p, r, splat(4.1665795894e-2f));
  p = mul_add(p, r, splat(1.6666665459e-1f));
  p = mul_add(p, r, splat(5.0000001201e-1f));
  p = mul_add(p, r * r, r) + splat(1.0f);
  return times_power_of_two(p, n, n_float);
}

LLM_INLINE F32 magnitude_of(F32 x) {
  return from_bits(bits_of(x) & splat(std::int32_t{0x7fffffff}));
}

/// erfc(x) for x >= 0 (NaN stays): a Chebyshev fit in 2 / (2 + x), 1.2e-7 from the true value in
/// relative terms before rounding (Press et al., Numerical Recipes, section 6.2); the rounding of
/// x^2 adds up to x^2 units in the last place.
LLM_INLINE F32 erfc_positive(F32 x) {
  const F32 t = splat(2.0f) / (splat(2.0f) + x);
  F32 p = splat(0.17087277f);
  p = mul_add(p, t, splat(-0.82215223f));
  p = mul_add(p, t, splat(1.48851587f));
  p = mul_add(p, t, splat(-1.13520398f));
  p = mul_add(p, t, splat(0.27886807f));
  p = mul_add(p, t, splat(-0.18628806f));
  p = mul_add(p, t, splat(0.09678418f));
  p = mul_add(p, t, splat(0.37409196f));
  p = mul_add(p, t, splat(1.00002368f));
  p = mul_add(p, t, splat(-1.26551223f));
  return t * exp_f32(p - x * x);
}

/// tanh(x) within 3 units in the last place.
LLM_INLINE F32 tanh_f32(F32 x) {
  const I32 sign = bits_of(x) & splat(static_cast<std::int32_t>(0x80000000u));
  const F32 magnitude = magnitude_of(x);
  const F32 e = exp_f32(magnitude + magnitude);
  const F32 large = splat(1.0f) - splat(2.0f) / (e + splat(1.0f));
  const F32 z = x * x;
  F32 p = splat(-5.70498872745e-3f);
  p = mul_add(p, z, splat(2.06390887954e-2f));
  p = mul_add(p, z, splat(-5.37397155531e-2f));
  p = mul_add(p, z, splat(1.33314422036e-1f));
  p = mul_add(p, z, splat(-3.33332819422e-1f));
  const F32 small = mul_add(p * z, magnitude, magnitude);
  const F32 result = if_less(magnitude, splat(0.625f), small, large);
  return from_bits(bits_of(result) | sign);
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
