// Q5_1: 32 elements in 24 bytes; scale and minimum, 5-bit values.
//   0..1   d    f16
//   2..3   m    f16
//   4..7   qh   u32, bit e is bit 4 of element e
//   8..23  qs   low four bits, nibbles as in Q4_0
// value = q * d + m
#pragma once

#include "quant/block_fields.h"

namespace llm::quant {

struct BlockQ5_1 {
  static constexpr int kElements = 32;
  StoredF16 d;
  StoredF16 m;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};
static_assert(sizeof(BlockQ5_1) == 24);

inline void decode(const BlockQ5_1& block, float* values) {
  const float d = block.d.get();
  const float m = block.m.get();
  const auto qh = core::load_le<std::uint32_t>(block.qh);
  for (int e = 0; e < 16; ++e) {
    const int low = (block.qs[e] & 15) | static_cast<int>((qh >> e) & 1u) << 4;
    const int high = (block.qs[e] >> 4) | static_cast<int>((qh >> (e + 16)) & 1u) << 4;
    values[e] = static_cast<float>(low) * d + m;
    values[e + 16] = static_cast<float>(high) * d + m;
  }
}

inline void encode(const float* values, BlockQ5_1& block) {
  const auto [smallest, largest] = std::minmax_element(values, values + 32);
  const float m = *smallest;
  const float d = (*largest - m) / 31.0f;
  const float inverse = inverse_or_zero(d);
  block.d.set(d);
  block.m.set(m);
  std::uint32_t qh = 0;
  for (int e = 0; e < 16; ++e) {
    const int low = round_half_up((values[e] - m) * inverse, 31);
    const int high = round_half_up((values[e + 16] - m) * inverse, 31);
    block.qs[e] = pack_nibbles(low & 15, high & 15);
    qh |= static_cast<std::uint32_t>(low >> 4) << e | static_cast<std::uint32_t>(high >> 4)
                                                          << (e + 16);
  }
  core::store_le(block.qh, qh);
}

}  // namespace llm::quant
