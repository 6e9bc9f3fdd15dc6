// Rounding to 8-bit integers with a scale per block, for activations and for the KV cache.
// Included after isa.h.
#pragma once

#include "kernels/cpu/layout.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// Writes kQuantBlock integers, zeros beyond the first n; returns the scale: from[i] is about
/// scale * q[i]. A NaN among them makes the scale one.
LLM_INLINE float quantize_to_i8(const float* from, std::int64_t n, std::int8_t* q) {
  constexpr int kVectors = kQuantBlock / kLanes;
  F32 x[kVectors];
  // Magnitudes compare as integers; NaN is then the largest of all and reaches the scale.
  I32 largest = splat(std::int32_t{0});
  for (int v = 0; v < kVectors; ++v) {
    const std::int64_t left = n - v * kLanes;
    if (left >= kLanes) {
      x[v] = load(from + v * kLanes);
    } else if (left > 0) {
      x[v] = load_partial(from + v * kLanes, left);
    } else {
      x[v] = zero();
    }
    largest = larger(largest, bits_of(x[v]) & splat(std::int32_t{0x7fffffff}));
  }
  std::int32_t lanes[kLanes];
  store(lanes, largest);
  std::int32_t bits = 0;
  for (int lane = 0; lane < kLanes; ++lane) bits = lanes[lane] > bits ? lanes[lane] : bits;
  float magnitude;
  __builtin_memcpy(&magnitude, &bits, sizeof magnitude);

  // Below this the inverse would overflow; such a block counts as zeros.
  const bool negligible = magnitude < 1e-36f;
  const F32 inverse = splat(negligible ? 0.0f : 127.0f / magnitude);
  for (int v = 0; v < kVectors; ++v) store_i8(q + v * kLanes, round_to_i32(x[v] * inverse));
  return negligible ? 0.0f : magnitude / 127.0f;
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
