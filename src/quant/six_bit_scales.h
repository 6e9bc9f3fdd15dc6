// The 12 bytes that hold eight 6-bit scales and eight 6-bit minima in Q4_K and Q5_K:
//   b < 4:  scale = s[b] & 63,                          minimum = s[b + 4] & 63
//   b >= 4: scale = s[b + 4] & 15 | (s[b - 4] >> 6) << 4, minimum = s[b + 4] >> 4 | (s[b] >> 6) <<
//   4
#pragma once

#include <cstdint>

namespace llm::quant {

struct SixBitScales {
  std::uint8_t s[12];

  int scale(int b) const { return b < 4 ? s[b] & 63 : (s[b + 4] & 15) | (s[b - 4] >> 6) << 4; }
  int minimum(int b) const { return b < 4 ? s[b + 4] & 63 : (s[b + 4] >> 4) | (s[b] >> 6) << 4; }

  /// Stores values within 0..63.
  void set(const int (&scales)[8], const int (&minima)[8]) {
    for (int b = 0; b < 4; ++b) {
      s[b] = static_cast<std::uint8_t>(scales[b] | (scales[b + 4] >> 4) << 6);
      s[b + 4] = static_cast<std::uint8_t>(minima[b] | (minima[b + 4] >> 4) << 6);
      s[b + 8] = static_cast<std::uint8_t>((scales[b + 4] & 15) | (minima[b + 4] & 15) << 4);
    }
  }
};
static_assert(sizeof(SixBitScales) == 12);

}  // namespace llm::quant
