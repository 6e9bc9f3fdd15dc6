// Q4_0: 32 elements in 18 bytes; one scale, 4-bit values around zero.
//   0..1   d    f16
//   2..17  qs   element e: low nibble of qs[e] for e < 16, high nibble of qs[e - 16] above
// value = (q - 8) * d
#pragma once

#include "quant/block_fields.h"

namespace llm::quant {

struct BlockQ4_0 {
  static constexpr int kElements = 32;
  StoredF16 d;
  std::uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_0) == 18);

inline void decode(const BlockQ4_0& block, float* values) {
  const float d = block.d.get();
  for (int e = 0; e < 16; ++e) {
    values[e] = static_cast<float>((block.qs[e] & 15) - 8) * d;
    values[e + 16] = static_cast<float>((block.qs[e] >> 4) - 8) * d;
  }
}

/// The element of largest magnitude becomes exactly q = 0, which stands for -8.
inline void encode(const float* values, BlockQ4_0& block) {
  const float d = largest_by_magnitude(values, 32) / -8.0f;
  const float inverse = inverse_or_zero(d);
  block.d.set(d);
  for (int e = 0; e < 16; ++e) {
    block.qs[e] = pack_nibbles(round_half_up(values[e] * inverse + 8.0f, 15),
                               round_half_up(values[e + 16] * inverse + 8.0f, 15));
  }
}

}  // namespace llm::quant
