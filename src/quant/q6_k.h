// Q6_K: 256 elements in 210 bytes; 16 sub-blocks of 16 with a signed 8-bit scale, 6-bit values.
//   0..127    ql      element e = 128 n + 32 g + l: low four bits in ql[64 n + 32 (g % 2) + l], low
//                     nibble for g < 2, high nibble above
//   128..191  qh      its bits 4..5: bits 2g..2g+1 of qh[32 n + l]
//   192..207  scales  i8, sub-block e / 16
//   208..209  d       f16
// value = (d * scale) * (q - 32)
#pragma once

#include "quant/block_fields.h"

namespace llm::quant {

struct BlockQ6_K {
  static constexpr int kElements = 256;
  std::uint8_t ql[128];
  std::uint8_t qh[64];
  std::int8_t scales[16];
  StoredF16 d;
};
static_assert(sizeof(BlockQ6_K) == 210);

inline void decode(const BlockQ6_K& block, float* values) {
  const float d = block.d.get();
  for (int n = 0; n < 2; ++n) {
    for (int g = 0; g < 4; ++g) {
      const std::uint8_t* ql = block.ql + 64 * n + 32 * (g % 2);
      const std::uint8_t* qh = block.qh + 32 * n;
      for (int l = 0; l < 32; ++l) {
        const int e = 128 * n + 32 * g + l;
        const float scale = d * static_cast<float>(block.scales[e / 16]);
        const int low = g < 2 ? ql[l] & 15 : ql[l] >> 4;
        const int q = (low | ((qh[l] >> (2 * g)) & 3) << 4) - 32;
        values[e] = scale * static_cast<float>(q);
      }
    }
  }
}

void encode(const float* values, BlockQ6_K& block);

}  // namespace llm::quant
