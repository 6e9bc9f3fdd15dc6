// Q3_K: 256 elements in 110 bytes; 16 sub-blocks of 16 with a signed 6-bit scale, 3-bit values.
//   0..31     hmask   element e = 128 n + 32 j + l: bit 4n + j of hmask[l], set: q, clear: q - 4
//   32..95    qs      low two bits, as in Q2_K
//   96..107   scales  sub-block b: low nibble of the scale in scales[b % 8] (high half for b >= 8),
//                     its bits 4..5 in bits 2(b/4)..2(b/4)+1 of scales[8 + b % 4]; stored plus 32
//   108..109  d       f16
// value = (d * scale) * q
#pragma once

#include "quant/block_fields.h"

namespace llm::quant {

struct BlockQ3_K {
  static constexpr int kElements = 256;
  std::uint8_t hmask[32];
  std::uint8_t qs[64];
  std::uint8_t scales[12];
  StoredF16 d;

  /// Scale of sub-block b, within -32..31.
  int scale(int b) const {
    const int low = b < 8 ? scales[b] & 15 : scales[b - 8] >> 4;
    const int high = (scales[8 + b % 4] >> (2 * (b / 4))) & 3;
    return (low | high << 4) - 32;
  }
};
static_assert(sizeof(BlockQ3_K) == 110);

inline void decode(const BlockQ3_K& block, float* values) {
  const float d = block.d.get();
  for (int b = 0; b < 16; ++b) {
    const float scale = d * static_cast<float>(block.scale(b));
    const std::uint8_t* qs = block.qs + 32 * (b / 8) + 16 * (b % 2);
    const std::uint8_t* hmask = block.hmask + 16 * (b % 2);
    const int shift = 2 * (b % 8 / 2);
    for (int e = 0; e < 16; ++e) {
      const int low = (qs[e] >> shift) & 3;
      const int q = ((hmask[e] >> (b / 2)) & 1) != 0 ? low : low - 4;
      values[16 * b + e] = scale * static_cast<float>(q);
    }
  }
}

void encode(const float* values, BlockQ3_K& block);

}  // namespace llm::quant
