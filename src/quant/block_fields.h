// Building blocks of the block formats. Every block type in this folder consists of byte-sized
// members only, so it has alignment 1 and may be laid over or copied from any address of a file.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/half.h"
#include "core/little_endian.h"

namespace llm::quant {

/// An f16 at any address.
struct StoredF16 {
  std::uint8_t bytes[2];

  float get() const { return core::f16_to_f32(core::load_le<std::uint16_t>(bytes)); }
  void set(float value) { core::store_le(bytes, core::f32_to_f16(value)); }
};

/// Within [low, high]; NaN gives `low`.
inline float clamped(float value, float low, float high) {
  const float raised = value > low ? value : low;
  return raised < high ? raised : high;
}

/// Nearest integer (ties to even) within [low, high], which lie within +-2^22; NaN gives `low`.
/// An integer by value, a float by type.
inline float round_clamped(float value, float low, float high) {
  constexpr float kNoFraction = 0x1.8p23f;  // from here on, floats are integers
  return clamped(value, low, high) + kNoFraction - kNoFraction;
}

inline int round_clamped(float value, int low, int high) {
  return static_cast<int>(round_clamped(value, static_cast<float>(low), static_cast<float>(high)));
}

/// value + 0.5 cut to an integer within [0, high]: how the formats without sub-blocks round.
inline int round_half_up(float value, int high) {
  return static_cast<int>(clamped(value + 0.5f, 0.0f, static_cast<float>(high)));
}

/// Nearest integer within [-bound, bound], ties away from zero, as Q8_0's reference rounds.
inline int round_half_away(float value, int bound) {
  constexpr float kBelowHalf = 0x1.fffffep-2f;  // with a half itself, 0.49999997 would become 1
  const float bounded = clamped(value, static_cast<float>(-bound), static_cast<float>(bound));
  return static_cast<int>(bounded + std::copysign(kBelowHalf, bounded));
}

inline float inverse_or_zero(float value) { return value != 0.0f ? 1.0f / value : 0.0f; }

/// The element of largest magnitude, with its sign (the first one of equals).
inline float largest_by_magnitude(const float* values, int count) {
  float largest = 0.0f;
  for (int e = 0; e < count; ++e) {
    if (std::fabs(values[e]) > std::fabs(largest)) largest = values[e];
  }
  return largest;
}

/// Low nibbles are the first half of the block, high nibbles the second.
inline std::uint8_t pack_nibbles(int low, int high) {
  return static_cast<std::uint8_t>(low | (high << 4));
}

}  // namespace llm::quant
