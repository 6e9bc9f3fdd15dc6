// IQ4_XS: 256 elements in 136 bytes; 8 sub-blocks of 32 with a signed 6-bit scale, 4-bit indices
// into the table of IQ4_NL.
//   0..1    d         f16
//   2..3    scales_h  u16, bits 2b..2b+1: bits 4..5 of the scale of sub-block b
//   4..7    scales_l  its low four bits, nibble b; stored plus 32
//   8..135  qs        16 bytes per sub-block, nibbles as in Q4_0
// value = (d * scale) * kIq4Table[q]
#pragma once

#include "quant/block_fields.h"
#include "quant/iq4_nl.h"

namespace llm::quant {

struct BlockIQ4_XS {
  static constexpr int kElements = 256;
  StoredF16 d;
  std::uint8_t scales_h[2];
  std::uint8_t scales_l[4];
  std::uint8_t qs[128];

  /// Scale of sub-block b, within -32..31.
  int scale(int b) const {
    const int low = (scales_l[b / 2] >> (4 * (b % 2))) & 15;
    const int high = (core::load_le<std::uint16_t>(scales_h) >> (2 * b)) & 3;
    return (low | high << 4) - 32;
  }
};
static_assert(sizeof(BlockIQ4_XS) == 136);

inline void decode(const BlockIQ4_XS& block, float* values) {
  const float d = block.d.get();
  for (int b = 0; b < 8; ++b) {
    const float scale = d * static_cast<float>(block.scale(b));
    const std::uint8_t* qs = block.qs + 16 * b;
    for (int e = 0; e < 16; ++e) {
      values[32 * b + e] = scale * static_cast<float>(kIq4Table[qs[e] & 15]);
      values[32 * b + e + 16] = scale * static_cast<float>(kIq4Table[qs[e] >> 4]);
    }
  }
}

}  // namespace llm::quant
