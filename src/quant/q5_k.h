// Q5_K: 256 elements in 176 bytes; 8 sub-blocks of 32 with 6-bit scale and minimum, 5-bit values.
//   0..1     d       f16
//   2..3     dmin    f16
//   4..15    scales  see six_bit_scales.h
//   16..47   qh      bit 4 of element e = 32 b + l: bit b of qh[l]
//   48..175  qs      low four bits, as in Q4_K
// value = (d * scale) * q - dmin * minimum
#pragma once

#include "quant/block_fields.h"
#include "quant/six_bit_scales.h"

namespace llm::quant {

struct BlockQ5_K {
  static constexpr int kElements = 256;
  StoredF16 d;
  StoredF16 dmin;
  SixBitScales scales;
  std::uint8_t qh[32];
  std::uint8_t qs[128];
};
static_assert(sizeof(BlockQ5_K) == 176);

inline void decode(const BlockQ5_K& block, float* values) {
  const float d = block.d.get();
  const float dmin = block.dmin.get();
  for (int b = 0; b < 8; ++b) {
    const float scale = d * static_cast<float>(block.scales.scale(b));
    const float minimum = dmin * static_cast<float>(block.scales.minimum(b));
    const std::uint8_t* qs = block.qs + 32 * (b / 2);
    const int shift = 4 * (b % 2);
    for (int e = 0; e < 32; ++e) {
      const int q = ((qs[e] >> shift) & 15) | ((block.qh[e] >> b) & 1) << 4;
      values[32 * b + e] = scale * static_cast<float>(q) - minimum;
    }
  }
}

void encode(const float* values, BlockQ5_K& block);

}  // namespace llm::quant
