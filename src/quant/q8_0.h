// Q8_0: 32 elements in 34 bytes; one scale, 8-bit values.
//   0..1   d    f16
//   2..33  qs   i8
// value = q * d
#pragma once

#include "quant/block_fields.h"

namespace llm::quant {

struct BlockQ8_0 {
  static constexpr int kElements = 32;
  StoredF16 d;
  std::int8_t qs[32];
};
static_assert(sizeof(BlockQ8_0) == 34);

inline void decode(const BlockQ8_0& block, float* values) {
  const float d = block.d.get();
  for (int e = 0; e < 32; ++e) values[e] = static_cast<float>(block.qs[e]) * d;
}

inline void encode(const float* values, BlockQ8_0& block) {
  const float d = std::fabs(largest_by_magnitude(values, 32)) / 127.0f;
  const float inverse = inverse_or_zero(d);
  block.d.set(d);
  for (int e = 0; e < 32; ++e) {
    block.qs[e] = static_cast<std::int8_t>(round_half_away(values[e] * inverse, 127));
  }
}

}  // namespace llm::quant
