// MXFP4: 32 elements in 17 bytes; a power-of-two scale, 4-bit floats (E2M1).
//   0      e    the scale is 2^(e - 127)
//   1..16  qs   E2M1 codes, nibbles as in Q4_0
// value = kE2m1Doubled[q] * 2^(e - 128); the table holds doubled values, so it is integers.
#pragma once

#include <bit>

#include "quant/block_fields.h"

namespace llm::quant {

inline constexpr std::int8_t kE2m1Doubled[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                 0, -1, -2, -3, -4, -6, -8, -12};

struct BlockMXFP4 {
  static constexpr int kElements = 32;
  std::uint8_t e;
  std::uint8_t qs[16];

  /// 2^(e - 128); e = 0 and 1 give subnormal numbers, 255 is not special.
  float half_scale() const {
    const std::uint32_t exponent = e;
    return std::bit_cast<float>(exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23);
  }
};
static_assert(sizeof(BlockMXFP4) == 17);

inline void decode(const BlockMXFP4& block, float* values) {
  const float d = block.half_scale();
  for (int e = 0; e < 16; ++e) {
    values[e] = static_cast<float>(kE2m1Doubled[block.qs[e] & 15]) * d;
    values[e + 16] = static_cast<float>(kE2m1Doubled[block.qs[e] >> 4]) * d;
  }
}

}  // namespace llm::quant
