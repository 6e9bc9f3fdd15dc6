// Vector layer for any processor: 4 lanes of 32 bits as the compiler's generic vectors (SSE2 on
// x86-64). It also describes the names that every layer has:
//
//   F32, I32       kLanes values of 32 bits
//   Bytes          4 bytes for each lane: four consecutive columns of kLanes weight rows
//   mul_add        a * b + c, fused where the instruction set can
//   larger/smaller second operand when either is NaN
//   sum_lanes      a fixed tree, the same for every call
//   Bf16Pairs      two consecutive columns of kLanes weight rows; dot_bf16 adds their products
//   Int8Weights    Bytes of weights in -128..127, stored plus kInt8Offset; dot_int8 adds the exact
//                  products of the stored bytes with four values of x in -127..127 in each lane of
//                  x
//   CodeDot        sum of such products for codes in 0..kMaxCode, kMaxCode <= 127: `add` takes one
//                  step; `flush` must follow at least every kSteps of them, and before `sum` is
//                  read
#pragma once

#include "core/half.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

constexpr int kLanes = 4;

typedef float FloatVector __attribute__((vector_size(16)));
typedef std::int32_t IntVector __attribute__((vector_size(16)));
typedef std::int16_t ShortVector __attribute__((vector_size(16)));

struct F32 {
  FloatVector v;
};
struct I32 {
  IntVector v;
};
struct Bytes {
  std::uint8_t b[4 * kLanes];
};

// ---- F32 ----------------------------------------------------------------------------------------

LLM_INLINE F32 splat(float x) { return {FloatVector{x, x, x, x}}; }
LLM_INLINE F32 zero() { return splat(0.0f); }
LLM_INLINE F32 load(const float* p) {
  F32 x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}
LLM_INLINE void store(float* p, F32 x) { __builtin_memcpy(p, &x, sizeof x); }
LLM_INLINE F32 load_partial(const float* p, std::int64_t n) {
  F32 x = zero();
  for (int lane = 0; lane < kLanes; ++lane) {
    if (lane < n) x.v[lane] = p[lane];
  }
  return x;
}
LLM_INLINE void store_partial(float* p, F32 x, std::int64_t n) {
  for (int lane = 0; lane < kLanes; ++lane) {
    if (lane < n) p[lane] = x.v[lane];
  }
}

LLM_INLINE F32 operator+(F32 a, F32 b) { return {a.v + b.v}; }
LLM_INLINE F32 operator-(F32 a, F32 b) { return {a.v - b.v}; }
LLM_INLINE F32 operator*(F32 a, F32 b) { return {a.v * b.v}; }
LLM_INLINE F32 operator/(F32 a, F32 b) { return {a.v / b.v}; }
LLM_INLINE F32 mul_add(F32 a, F32 b, F32 c) { return {a.v * b.v + c.v}; }
LLM_INLINE F32 larger(F32 a, F32 b) { return {a.v > b.v ? a.v : b.v}; }
LLM_INLINE F32 smaller(F32 a, F32 b) { return {a.v < b.v ? a.v : b.v}; }
LLM_INLINE F32 if_less(F32 a, F32 b, F32 yes, F32 no) { return {a.v < b.v ? yes.v : no.v}; }
LLM_INLINE float sum_lanes(F32 x) { return (x.v[0] + x.v[2]) + (x.v[1] + x.v[3]); }
LLM_INLINE float largest_lane(F32 x) {
  const float a = x.v[0] > x.v[2] ? x.v[0] : x.v[2];
  const float b = x.v[1] > x.v[3] ? x.v[1] : x.v[3];
  return a > b ? a : b;
}

// ---- I32 ----------------------------------------------------------------------------------------

LLM_INLINE I32 splat(std::int32_t x) { return {IntVector{x, x, x, x}}; }
LLM_INLINE I32 operator+(I32 a, I32 b) { return {a.v + b.v}; }
LLM_INLINE I32 operator-(I32 a, I32 b) { return {a.v - b.v}; }
LLM_INLINE I32 operator&(I32 a, I32 b) { return {a.v & b.v}; }
LLM_INLINE I32 operator|(I32 a, I32 b) { return {a.v | b.v}; }
template <int n>
LLM_INLINE I32 shift_left(I32 x) {
  return {x.v << n};
}
template <int n>
LLM_INLINE I32 shift_right_signed(I32 x) {
  return {x.v >> n};
}
LLM_INLINE I32 bits_of(F32 x) { return {reinterpret_cast<IntVector>(x.v)}; }
LLM_INLINE F32 from_bits(I32 x) { return {reinterpret_cast<FloatVector>(x.v)}; }
LLM_INLINE F32 to_f32(I32 x) { return {__builtin_convertvector(x.v, FloatVector)}; }
/// Round to nearest even, for |x| < 2^22.
LLM_INLINE I32 round_to_i32(F32 x) {
  const F32 magic = splat(0x1.8p23f);
  return bits_of(x + magic) - bits_of(magic);
}
LLM_INLINE I32 larger(I32 a, I32 b) { return {a.v > b.v ? a.v : b.v}; }
LLM_INLINE void store(std::int32_t* p, I32 x) { __builtin_memcpy(p, &x, sizeof x); }
LLM_INLINE void store_i8(std::int8_t* p, I32 x) {
  for (int lane = 0; lane < kLanes; ++lane) p[lane] = static_cast<std::int8_t>(x.v[lane]);
}

// ---- 16-bit floats and small integers in memory -------------------------------------------------

LLM_INLINE F32 load_f16(const std::uint16_t* p) {
  const I32 bits = {IntVector{p[0], p[1], p[2], p[3]}};
  const I32 exponent = bits & splat(std::int32_t{0x7c00});
  // Moved to its place in an f32 and scaled by 2^112 the number is exact, subnormals included;
  // infinity and NaN get the f32 exponent that stands for them.
  const F32 finite =
      from_bits(shift_left<13>(bits & splat(std::int32_t{0x7fff}))) * splat(0x1p112f);
  const IntVector special = (exponent.v == 0x7c00) & 0x7f800000;
  const I32 sign = shift_left<16>(bits & splat(std::int32_t{0x8000}));
  return from_bits(bits_of(finite) | I32{special} | sign);
}
LLM_INLINE F32 load_bf16(const std::uint16_t* p) {
  return {FloatVector{core::bf16_to_f32(p[0]), core::bf16_to_f32(p[1]), core::bf16_to_f32(p[2]),
                      core::bf16_to_f32(p[3])}};
}
LLM_INLINE void store_f16(std::uint16_t* p, F32 x) {
  for (int lane = 0; lane < kLanes; ++lane) p[lane] = core::f32_to_f16(x.v[lane]);
}
LLM_INLINE void store_bf16(std::uint16_t* p, F32 x) {
  for (int lane = 0; lane < kLanes; ++lane) p[lane] = core::f32_to_bf16(x.v[lane]);
}
LLM_INLINE F32 load_u8(const std::uint8_t* p) {
  return to_f32({IntVector{p[0], p[1], p[2], p[3]}});
}
LLM_INLINE F32 load_i8(const std::uint8_t* p) {
  I32 x;
  for (int lane = 0; lane < kLanes; ++lane) x.v[lane] = static_cast<std::int8_t>(p[lane]);
  return to_f32(x);
}

// ---- Products of pairs of bf16 ------------------------------------------------------------------

constexpr bool kBf16InputIsPairs = false;  // the input row holds the rounded values as f32

struct Bf16Pairs {
  F32 even, odd;
};
LLM_INLINE Bf16Pairs load_bf16_pairs(const std::byte* p) {
  I32 pairs;
  __builtin_memcpy(&pairs, p, sizeof pairs);
  return {from_bits(shift_left<16>(pairs)),
          from_bits(pairs & splat(static_cast<std::int32_t>(0xffff0000u)))};
}
LLM_INLINE Bf16Pairs load_bf16_input(const std::byte* row, std::int64_t pair) {
  const float* x = reinterpret_cast<const float*>(row) + pair * 2;
  return {splat(x[0]), splat(x[1])};
}
LLM_INLINE F32 dot_bf16(F32 sum, Bf16Pairs w, Bf16Pairs x) {
  return mul_add(w.odd, x.odd, mul_add(w.even, x.even, sum));
}

// ---- Products of 8-bit integers -----------------------------------------------------------------

constexpr int kInt8Offset = 0;

LLM_INLINE Bytes load_bytes(const std::uint8_t* p) {
  Bytes x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}
LLM_INLINE Bytes low_nibbles(Bytes x) {
  for (std::uint8_t& b : x.b) b = b & 15;
  return x;
}
LLM_INLINE Bytes high_nibbles(Bytes x) {
  for (std::uint8_t& b : x.b) b = b >> 4;
  return x;
}
LLM_INLINE Bytes look_up(const std::uint8_t* table /* (16) */, Bytes index) {
  for (std::uint8_t& b : index.b) b = table[b];
  return index;
}

struct Int8Weights {
  Bytes w;
};
LLM_INLINE Int8Weights prepare_int8(Bytes w) { return {w}; }
/// Products of signed bytes; the sum of two fits 16 bits: 2 * 128 * 127 = 32512.
LLM_INLINE I32 dot_bytes(I32 sum, Bytes w, I32 x) {
  ShortVector w_pairs, x_pairs;
  __builtin_memcpy(&w_pairs, &w, sizeof w);
  __builtin_memcpy(&x_pairs, &x, sizeof x);
  const ShortVector even = ((w_pairs << 8) >> 8) * ((x_pairs << 8) >> 8);
  const ShortVector odd = (w_pairs >> 8) * (x_pairs >> 8);
  const IntVector pairs = reinterpret_cast<IntVector>(even + odd);
  return {sum.v + ((pairs << 16) >> 16) + (pairs >> 16)};
}
LLM_INLINE I32 dot_int8(I32 sum, Int8Weights w, I32 x) { return dot_bytes(sum, w.w, x); }

template <int kMaxCode>
struct CodeDot {
  static constexpr int kSteps = 8;
  I32 sum;
  LLM_INLINE void add(Bytes w, I32 x) { sum = dot_bytes(sum, w, x); }
  LLM_INLINE void flush() {}
};

// ---- Measuring ----------------------------------------------------------------------------------

/// Hides from the optimiser what the value is.
template <class T>
LLM_INLINE void opaque(T& x) {
  asm volatile("" : "+m"(x));
}
#if defined(__SSE2__)
LLM_INLINE void opaque(F32& x) { asm volatile("" : "+x"(x.v)); }
LLM_INLINE void opaque(I32& x) { asm volatile("" : "+x"(x.v)); }
LLM_INLINE void opaque(Bf16Pairs& x) { asm volatile("" : "+x"(x.even.v), "+x"(x.odd.v)); }
#endif

// ---- Sizes of register tiles (16 registers) -----------------------------------------------------

constexpr int kFloatTokens = 4;
constexpr int kQuantTokens = 2;
constexpr int kInt8Tokens = kQuantTokens;
constexpr int kWideTokens = 0;  // none
constexpr int kQueryTile = 4;

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
