// Q2_K: 256 elements in 84 bytes; 16 sub-blocks of 16 with 4-bit scale and minimum, 2-bit values.
//   0..15   scales  sub-block b: scale in the low nibble of scales[b], minimum in the high one
//   16..79  qs      element e = 128 n + 32 j + l: bits 2j..2j+1 of qs[32 n + l]
//   80..81  d       f16
//   82..83  dmin    f16
// value = (d * scale) * q - dmin * minimum
#pragma once

#include "quant/block_fields.h"

namespace llm::quant {

struct BlockQ2_K {
  static constexpr int kElements = 256;
  std::uint8_t scales[16];
  std::uint8_t qs[64];
  StoredF16 d;
  StoredF16 dmin;
};
static_assert(sizeof(BlockQ2_K) == 84);

inline void decode(const BlockQ2_K& block, float* values) {
  const float d = block.d.get();
  const float dmin = block.dmin.get();
  for (int b = 0; b < 16; ++b) {
    const float scale = d * static_cast<float>(block.scales[b] & 15);
    const float minimum = dmin * static_cast<float>(block.scales[b] >> 4);
    const std::uint8_t* qs = block.qs + 32 * (b / 8) + 16 * (b % 2);
    const int shift = 2 * (b % 8 / 2);
    for (int e = 0; e < 16; ++e) {
      values[16 * b + e] = scale * static_cast<float>((qs[e] >> shift) & 3) - minimum;
    }
  }
}

void encode(const float* values, BlockQ2_K& block);

}  // namespace llm::quant
