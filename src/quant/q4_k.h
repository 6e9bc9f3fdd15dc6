// Q4_K: 256 elements in 144 bytes; 8 sub-blocks of 32 with 6-bit scale and minimum, 4-bit values.
//   0..1     d       f16
//   2..3     dmin    f16
//   4..15    scales  see six_bit_scales.h
//   16..143  qs      element e = 64 p + r: low nibble of qs[32 p + r] for r < 32, high nibble of
//                    qs[32 p + r - 32] above
// value = (d * scale) * q - dmin * minimum
#pragma once

#include "quant/block_fields.h"
#include "quant/six_bit_scales.h"

namespace llm::quant {

struct BlockQ4_K {
  static constexpr int kElements = 256;
  StoredF16 d;
  StoredF16 dmin;
  SixBitScales scales;
  std::uint8_t qs[128];
};
static_assert(sizeof(BlockQ4_K) == 144);

inline void decode(const BlockQ4_K& block, float* values) {
  const float d = block.d.get();
  const float dmin = block.dmin.get();
  for (int b = 0; b < 8; ++b) {
    const float scale = d * static_cast<float>(block.scales.scale(b));
    const float minimum = dmin * static_cast<float>(block.scales.minimum(b));
    const std::uint8_t* qs = block.qs + 32 * (b / 2);
    const int shift = 4 * (b % 2);
    for (int e = 0; e < 32; ++e) {
      values[32 * b + e] = scale * static_cast<float>((qs[e] >> shift) & 15) - minimum;
    }
  }
}

void encode(const float* values, BlockQ4_K& block);

}  // namespace llm::quant
