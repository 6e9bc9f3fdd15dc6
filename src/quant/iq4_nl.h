// IQ4_NL: 32 elements in 18 bytes; one scale, 4-bit indices into a fixed, unevenly spaced table.
//   0..1   d    f16
//   2..17  qs   indices, nibbles as in Q4_0
// value = d * kIq4Table[q]
#pragma once

#include "quant/block_fields.h"

namespace llm::quant {

/// Shared by IQ4_NL and IQ4_XS.
inline constexpr std::int8_t kIq4Table[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                              1,    13,   25,  38,  53,  69,  89,  113};

struct BlockIQ4_NL {
  static constexpr int kElements = 32;
  StoredF16 d;
  std::uint8_t qs[16];
};
static_assert(sizeof(BlockIQ4_NL) == 18);

inline void decode(const BlockIQ4_NL& block, float* values) {
  const float d = block.d.get();
  for (int e = 0; e < 16; ++e) {
    values[e] = d * static_cast<float>(kIq4Table[block.qs[e] & 15]);
    values[e + 16] = d * static_cast<float>(kIq4Table[block.qs[e] >> 4]);
  }
}

void encode(const float* values, BlockIQ4_NL& block);

}  // namespace llm::quant
