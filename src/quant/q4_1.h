// Q4_1: 32 elements in 20 bytes; scale and minimum, 4-bit values.
//   0..1   d    f16
//   2..3   m    f16
//   4..19  qs   element e: low nibble of qs[e] for e < 16, high nibble of qs[e - 16] above
// value = q * d + m
#pragma once

#include "quant/block_fields.h"

namespace llm::quant {

struct BlockQ4_1 {
  static constexpr int kElements = 32;
  StoredF16 d;
  StoredF16 m;
  std::uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_1) == 20);

inline void decode(const BlockQ4_1& block, float* values) {
  const float d = block.d.get();
  const float m = block.m.get();
  for (int e = 0; e < 16; ++e) {
    values[e] = static_cast<float>(block.qs[e] & 15) * d + m;
    values[e + 16] = static_cast<float>(block.qs[e] >> 4) * d + m;
  }
}

inline void encode(const float* values, BlockQ4_1& block) {
  const auto [low, high] = std::minmax_element(values, values + 32);
  const float m = *low;
  const float d = (*high - m) / 15.0f;
  const float inverse = inverse_or_zero(d);
  block.d.set(d);
  block.m.set(m);
  for (int e = 0; e < 16; ++e) {
    block.qs[e] = pack_nibbles(round_half_up((values[e] - m) * inverse, 15),
                               round_half_up((values[e + 16] - m) * inverse, 15));
  }
}

}  // namespace llm::quant
