// Q5_0: 32 elements in 22 bytes; one scale, 5-bit values around zero.
//   0..1   d    f16
//   2..5   qh   u32, bit e is bit 4 of element e
//   6..21  qs   low four bits, nibbles as in Q4_0
// value = (q - 16) * d
#pragma once

#include "quant/block_fields.h"

namespace llm::quant {

struct BlockQ5_0 {
  static constexpr int kElements = 32;
  StoredF16 d;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};
static_assert(sizeof(BlockQ5_0) == 22);

inline void decode(const BlockQ5_0& block, float* values) {
  const float d = block.d.get();
  const auto qh = core::load_le<std::uint32_t>(block.qh);
  for (int e = 0; e < 16; ++e) {
    const int low = (block.qs[e] & 15) | static_cast<int>((qh >> e) & 1u) << 4;
    const int high = (block.qs[e] >> 4) | static_cast<int>((qh >> (e + 16)) & 1u) << 4;
    values[e] = static_cast<float>(low - 16) * d;
    values[e + 16] = static_cast<float>(high - 16) * d;
  }
}

/// The element of largest magnitude becomes exactly q = 0, which stands for -16.
inline void encode(const float* values, BlockQ5_0& block) {
  const float d = largest_by_magnitude(values, 32) / -16.0f;
  const float inverse = inverse_or_zero(d);
  block.d.set(d);
  std::uint32_t qh = 0;
  for (int e = 0; e < 16; ++e) {
    const int low = round_half_up(values[e] * inverse + 16.0f, 31);
    const int high = round_half_up(values[e + 16] * inverse + 16.0f, 31);
    block.qs[e] = pack_nibbles(low & 15, high & 15);
    qh |= static_cast<std::uint32_t>(low >> 4) << e | static_cast<std::uint32_t>(high >> 4)
                                                          << (e + 16);
  }
  core::store_le(block.qh, qh);
}

}  // namespace llm::quant
