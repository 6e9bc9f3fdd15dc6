// Vector layer for AVX2 with FMA and F16C: 8 lanes of 32 bits. Loads and stores need no alignment.
// All layers have the same names; vec_baseline.h describes them.
#pragma once

#include <immintrin.h>

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

constexpr int kLanes = 8;

struct F32 {
  __m256 v;
};
struct I32 {
  __m256i v;
};
struct Bytes {
  __m256i v;
};

LLM_INLINE __m256i first_lanes(std::int64_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
}

// ---- F32 ----------------------------------------------------------------------------------------

LLM_INLINE F32 zero() { return {_mm256_setzero_ps()}; }
LLM_INLINE F32 splat(float x) { return {_mm256_set1_ps(x)}; }
LLM_INLINE F32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
LLM_INLINE void store(float* p, F32 x) { _mm256_storeu_ps(p, x.v); }
LLM_INLINE F32 load_partial(const float* p, std::int64_t n) {
  return {_mm256_maskload_ps(p, first_lanes(n))};
}
LLM_INLINE void store_partial(float* p, F32 x, std::int64_t n) {
  _mm256_maskstore_ps(p, first_lanes(n), x.v);
}

LLM_INLINE F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
LLM_INLINE F32 operator-(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
LLM_INLINE F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
LLM_INLINE F32 operator/(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
LLM_INLINE F32 mul_add(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
LLM_INLINE F32 larger(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
LLM_INLINE F32 smaller(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
LLM_INLINE F32 if_less(F32 a, F32 b, F32 yes, F32 no) {
  return {_mm256_blendv_ps(no.v, yes.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
}
LLM_INLINE float sum_lanes(F32 x) {
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
LLM_INLINE float largest_lane(F32 x) {
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(x.v), _mm256_extractf128_ps(x.v, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

// ---- I32 ----------------------------------------------------------------------------------------

LLM_INLINE I32 splat(std::int32_t x) { return {_mm256_set1_epi32(x)}; }
LLM_INLINE I32 operator+(I32 a, I32 b) { return {_mm256_add_epi32(a.v, b.v)}; }
LLM_INLINE I32 operator-(I32 a, I32 b) { return {_mm256_sub_epi32(a.v, b.v)}; }
LLM_INLINE I32 operator&(I32 a, I32 b) { return {_mm256_and_si256(a.v, b.v)}; }
LLM_INLINE I32 operator|(I32 a, I32 b) { return {_mm256_or_si256(a.v, b.v)}; }
template <int n>
LLM_INLINE I32 shift_left(I32 x) {
  return {_mm256_slli_epi32(x.v, n)};
}
template <int n>
LLM_INLINE I32 shift_right_signed(I32 x) {
  return {_mm256_srai_epi32(x.v, n)};
}
LLM_INLINE I32 bits_of(F32 x) { return {_mm256_castps_si256(x.v)}; }
LLM_INLINE F32 from_bits(I32 x) { return {_mm256_castsi256_ps(x.v)}; }
LLM_INLINE F32 to_f32(I32 x) { return {_mm256_cvtepi32_ps(x.v)}; }
LLM_INLINE I32 round_to_i32(F32 x) { return {_mm256_cvtps_epi32(x.v)}; }
LLM_INLINE I32 larger(I32 a, I32 b) { return {_mm256_max_epi32(a.v, b.v)}; }
LLM_INLINE void store(std::int32_t* p, I32 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.v);
}
LLM_INLINE void store_i8(std::int8_t* p, I32 x) {
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128(x.v), _mm256_extracti128_si256(x.v, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
}

// ---- 16-bit floats and small integers in memory -------------------------------------------------

LLM_INLINE F32 load_f16(const std::uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
LLM_INLINE F32 load_bf16(const std::uint16_t* p) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
}
LLM_INLINE void store_f16(std::uint16_t* p, F32 x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm256_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
LLM_INLINE __m256i bf16_bits(F32 x) {
  const __m256i bits = _mm256_castps_si256(x.v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(
      _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
  const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x40));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x.v, x.v, _CMP_UNORD_Q));
  return _mm256_blendv_epi8(rounded, quiet, nan);
}
LLM_INLINE void store_bf16(std::uint16_t* p, F32 x) {
  const __m256i bits = bf16_bits(x);
  _mm_storeu_si128(
      reinterpret_cast<__m128i*>(p),
      _mm_packus_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1)));
}
LLM_INLINE F32 load_u8(const std::uint8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))};
}
LLM_INLINE F32 load_i8(const std::uint8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))};
}

// ---- Products of pairs of bf16 ------------------------------------------------------------------

constexpr bool kBf16InputIsPairs = false;

struct Bf16Pairs {
  __m256 even, odd;
};
LLM_INLINE Bf16Pairs load_bf16_pairs(const std::byte* p) {
  const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
          _mm256_castsi256_ps(
              _mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(0xffff0000u))))};
}
LLM_INLINE Bf16Pairs load_bf16_input(const std::byte* row, std::int64_t pair) {
  const float* x = reinterpret_cast<const float*>(row) + pair * 2;
  return {_mm256_set1_ps(x[0]), _mm256_set1_ps(x[1])};
}
LLM_INLINE F32 dot_bf16(F32 sum, Bf16Pairs w, Bf16Pairs x) {
  return {_mm256_fmadd_ps(w.odd, x.odd, _mm256_fmadd_ps(w.even, x.even, sum.v))};
}

// ---- Products of 8-bit integers -----------------------------------------------------------------

constexpr int kInt8Offset = 0;

LLM_INLINE Bytes load_bytes(const std::uint8_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
LLM_INLINE Bytes low_nibbles(Bytes x) { return {_mm256_and_si256(x.v, _mm256_set1_epi8(15))}; }
LLM_INLINE Bytes high_nibbles(Bytes x) {
  return {_mm256_and_si256(_mm256_srli_epi16(x.v, 4), _mm256_set1_epi8(15))};
}
LLM_INLINE Bytes look_up(const std::uint8_t* table /* (16) */, Bytes index) {
  const __m128i row = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(row), index.v)};
}

struct Int8Weights {
  __m256i magnitude, value;
};
LLM_INLINE Int8Weights prepare_int8(Bytes w) { return {_mm256_abs_epi8(w.v), w.v}; }
// VPMADDUBSW saturates at 32767; |w| <= 128 and |x| <= 127 stay below: 2 * 128 * 127 = 32512.
LLM_INLINE I32 dot_int8(I32 sum, Int8Weights w, I32 x) {
  const __m256i words = _mm256_maddubs_epi16(w.magnitude, _mm256_sign_epi8(x.v, w.value));
  return {_mm256_add_epi32(sum.v, _mm256_madd_epi16(words, _mm256_set1_epi16(1)))};
}

template <int kMaxCode>
struct CodeDot {
  // Sums of two products of VPMADDUBSW that 16 bits hold.
  static constexpr int kSteps = 32767 / (2 * kMaxCode * 127);
  static_assert(kSteps >= 1);
  I32 sum;
  __m256i words = _mm256_setzero_si256();
  LLM_INLINE void add(Bytes w, I32 x) {
    words = _mm256_add_epi16(words, _mm256_maddubs_epi16(w.v, x.v));
  }
  LLM_INLINE void flush() {
    const __m256i pairs = _mm256_madd_epi16(words, _mm256_set1_epi16(1));
    sum.v = _mm256_add_epi32(sum.v, pairs);
    words = _mm256_setzero_si256();
  }
};

// ---- Measuring ----------------------------------------------------------------------------------

/// Hides from the optimiser what the register holds.
LLM_INLINE void opaque(F32& x) { asm volatile("" : "+x"(x.v)); }
LLM_INLINE void opaque(I32& x) { asm volatile("" : "+x"(x.v)); }
template <int kMaxCode>
LLM_INLINE void opaque(CodeDot<kMaxCode>& x) {
  opaque(x.sum);
  asm volatile("" : "+x"(x.words));
}
LLM_INLINE void opaque(Bytes& x) { asm volatile("" : "+x"(x.v)); }
LLM_INLINE void opaque(Bf16Pairs& x) { asm volatile("" : "+x"(x.even), "+x"(x.odd)); }

// ---- Sizes of register tiles (16 registers) -----------------------------------------------------

constexpr int kFloatTokens = 6;
constexpr int kQuantTokens = 2;
constexpr int kInt8Tokens = 4;  // 1 x 4: fewer magnitudes to take
constexpr int kWideTokens = 0;  // none
constexpr int kQueryTile = 4;

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
