// Eight-bit floats of safetensors, one byte each.
//   E4M3 (the "fn" variant): sign, 4 exponent bits with bias 7, 3 mantissa bits; largest 448, no
//   infinity, 0x7f and 0xff are NaN.
//   E5M2: the upper half of an f16.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "core/half.h"

namespace llm::quant {

constexpr float f8_e4m3_to_f32(std::uint8_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x80u) << 24;
  const std::uint32_t exponent = (bits >> 3) & 15u;
  const std::uint32_t mantissa = bits & 7u;
  if ((bits & 0x7fu) == 0x7fu) return std::bit_cast<float>(sign | 0x7fc00000u);
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-9f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  return std::bit_cast<float>(sign | (exponent + 120u) << 23 | mantissa << 20);
}

constexpr float f8_e5m2_to_f32(std::uint8_t bits) {
  return core::f16_to_f32(static_cast<std::uint16_t>(bits << 8));
}

}  // namespace llm::quant
