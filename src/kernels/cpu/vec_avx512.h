// Vector layer for AVX-512 (F, BW, DQ, VL and VNNI; with BF16 in avx512_bf16): 16 lanes of 32 bits.
// Loads and stores need no alignment. All layers have the same names; vec_baseline.h describes
// them.
#pragma once

#include <immintrin.h>

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

constexpr int kLanes = 16;

struct F32 {
  __m512 v;
};
struct I32 {
  __m512i v;
};
struct Bytes {
  __m512i v;
};

LLM_INLINE __mmask16 first_lanes(std::int64_t n) {
  return static_cast<__mmask16>((1u << static_cast<unsigned>(n)) - 1u);
}

// ---- F32 ----------------------------------------------------------------------------------------

LLM_INLINE F32 zero() { return {_mm512_setzero_ps()}; }
LLM_INLINE F32 splat(float x) { return {_mm512_set1_ps(x)}; }
LLM_INLINE F32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
LLM_INLINE void store(float* p, F32 x) { _mm512_storeu_ps(p, x.v); }
LLM_INLINE F32 load_partial(const float* p, std::int64_t n) {
  return {_mm512_maskz_loadu_ps(first_lanes(n), p)};
}
LLM_INLINE void store_partial(float* p, F32 x, std::int64_t n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), x.v);
}

LLM_INLINE F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
LLM_INLINE F32 operator-(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
LLM_INLINE F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
LLM_INLINE F32 operator/(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
LLM_INLINE F32 mul_add(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
LLM_INLINE F32 larger(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
LLM_INLINE F32 smaller(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
LLM_INLINE F32 if_less(F32 a, F32 b, F32 yes, F32 no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}
LLM_INLINE float sum_lanes(F32 x) {
  const __m256 low = _mm512_castps512_ps256(x.v);
  const __m256 high = _mm512_extractf32x8_ps(x.v, 1);
  const __m256 eight = _mm256_add_ps(low, high);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
LLM_INLINE float largest_lane(F32 x) {
  const __m256 low = _mm512_castps512_ps256(x.v);
  const __m256 high = _mm512_extractf32x8_ps(x.v, 1);
  const __m256 eight = _mm256_max_ps(low, high);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

// ---- I32 ----------------------------------------------------------------------------------------

LLM_INLINE I32 splat(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
LLM_INLINE I32 operator+(I32 a, I32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
LLM_INLINE I32 operator-(I32 a, I32 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
LLM_INLINE I32 operator&(I32 a, I32 b) { return {_mm512_and_si512(a.v, b.v)}; }
LLM_INLINE I32 operator|(I32 a, I32 b) { return {_mm512_or_si512(a.v, b.v)}; }
template <int n>
LLM_INLINE I32 shift_left(I32 x) {
  return {_mm512_slli_epi32(x.v, n)};
}
template <int n>
LLM_INLINE I32 shift_right_signed(I32 x) {
  return {_mm512_srai_epi32(x.v, n)};
}
LLM_INLINE I32 bits_of(F32 x) { return {_mm512_castps_si512(x.v)}; }
LLM_INLINE F32 from_bits(I32 x) { return {_mm512_castsi512_ps(x.v)}; }
LLM_INLINE F32 to_f32(I32 x) { return {_mm512_cvtepi32_ps(x.v)}; }
LLM_INLINE I32 round_to_i32(F32 x) { return {_mm512_cvtps_epi32(x.v)}; }
LLM_INLINE I32 larger(I32 a, I32 b) { return {_mm512_max_epi32(a.v, b.v)}; }
LLM_INLINE void store(std::int32_t* p, I32 x) { _mm512_storeu_si512(p, x.v); }
LLM_INLINE void store_i8(std::int8_t* p, I32 x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x.v));
}

// ---- 16-bit floats and small integers in memory -------------------------------------------------

LLM_INLINE F32 load_f16(const std::uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
LLM_INLINE F32 load_bf16(const std::uint16_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}
LLM_INLINE void store_f16(std::uint16_t* p, F32 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
// Rounds with integers: the conversion instruction takes subnormal numbers for zero.
LLM_INLINE __m512i bf16_bits(F32 x) {
  const __m512i bits = _mm512_castps_si512(x.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_srli_epi32(
      _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
  const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
  return _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q), rounded, quiet);
}
LLM_INLINE void store_bf16(std::uint16_t* p, F32 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(bf16_bits(x)));
}
LLM_INLINE F32 load_u8(const std::uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))};
}
LLM_INLINE F32 load_i8(const std::uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))};
}

// ---- Products of pairs of bf16 ------------------------------------------------------------------

#if defined(__AVX512BF16__)

constexpr bool kBf16InputIsPairs = true;  // VDPBF16PS

struct Bf16Pairs {
  __m512i v;
};
LLM_INLINE Bf16Pairs load_bf16_pairs(const std::byte* p) { return {_mm512_loadu_si512(p)}; }
LLM_INLINE Bf16Pairs load_bf16_input(const std::byte* row, std::int64_t pair) {
  std::int32_t bits;
  __builtin_memcpy(&bits, row + pair * 4, sizeof bits);
  return {_mm512_set1_epi32(bits)};
}
LLM_INLINE F32 dot_bf16(F32 sum, Bf16Pairs w, Bf16Pairs x) {
  return {_mm512_dpbf16_ps(sum.v, (__m512bh)w.v, (__m512bh)x.v)};
}

#else

constexpr bool kBf16InputIsPairs = false;

struct Bf16Pairs {
  __m512 even, odd;
};
LLM_INLINE Bf16Pairs load_bf16_pairs(const std::byte* p) {
  const __m512i pairs = _mm512_loadu_si512(p);
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
          _mm512_castsi512_ps(_mm512_and_si512(pairs, upper))};
}
LLM_INLINE Bf16Pairs load_bf16_input(const std::byte* row, std::int64_t pair) {
  const float* x = reinterpret_cast<const float*>(row) + pair * 2;
  return {_mm512_set1_ps(x[0]), _mm512_set1_ps(x[1])};
}
LLM_INLINE F32 dot_bf16(F32 sum, Bf16Pairs w, Bf16Pairs x) {
  return {_mm512_fmadd_ps(w.odd, x.odd, _mm512_fmadd_ps(w.even, x.even, sum.v))};
}

#endif

// ---- Products of 8-bit integers -----------------------------------------------------------------

constexpr int kInt8Offset = 128;  // VPDPBUSD wants unsigned weights

LLM_INLINE Bytes load_bytes(const std::uint8_t* p) { return {_mm512_loadu_si512(p)}; }
LLM_INLINE Bytes low_nibbles(Bytes x) { return {_mm512_and_si512(x.v, _mm512_set1_epi8(15))}; }
LLM_INLINE Bytes high_nibbles(Bytes x) {
  return {_mm512_and_si512(_mm512_srli_epi16(x.v, 4), _mm512_set1_epi8(15))};
}
LLM_INLINE Bytes look_up(const std::uint8_t* table /* (16) */, Bytes index) {
  const __m128i row = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(row), index.v)};
}

struct Int8Weights {
  __m512i v;
};
LLM_INLINE Int8Weights prepare_int8(Bytes w) { return {w.v}; }
LLM_INLINE I32 dot_int8(I32 sum, Int8Weights w, I32 x) {
  return {_mm512_dpbusd_epi32(sum.v, w.v, x.v)};
}

template <int kMaxCode>
struct CodeDot {
  static constexpr int kSteps = 8;  // VPDPBUSD sums in 32 bits at once
  I32 sum;
  LLM_INLINE void add(Bytes w, I32 x) { sum.v = _mm512_dpbusd_epi32(sum.v, w.v, x.v); }
  LLM_INLINE void flush() {}
};

// ---- Measuring ----------------------------------------------------------------------------------

/// Hides from the optimiser what the register holds.
LLM_INLINE void opaque(F32& x) { asm volatile("" : "+v"(x.v)); }
LLM_INLINE void opaque(I32& x) { asm volatile("" : "+v"(x.v)); }
template <int kMaxCode>
LLM_INLINE void opaque(CodeDot<kMaxCode>& x) {
  opaque(x.sum);
}
LLM_INLINE void opaque(Bytes& x) { asm volatile("" : "+v"(x.v)); }
#if defined(__AVX512BF16__)
LLM_INLINE void opaque(Bf16Pairs& x) { asm volatile("" : "+v"(x.v)); }
#else
LLM_INLINE void opaque(Bf16Pairs& x) { asm volatile("" : "+v"(x.even), "+v"(x.odd)); }
#endif

// ---- Sizes of register tiles (32 registers) -----------------------------------------------------

constexpr int kFloatTokens = 12;  // 2 vectors of outputs x 12 tokens
constexpr int kQuantTokens = 6;   // 2 x 6, in integers and in f32
constexpr int kInt8Tokens = kQuantTokens;
constexpr int kWideTokens = 8;  // 2 x 8 in f32, 2 x 4 at a time in integers
constexpr int kQueryTile = 8;   // 2 x 8

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
