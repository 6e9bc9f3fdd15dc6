// exp_nonpositive: e^x for x <= 0 in f32 from plain arithmetic only, so that compilers vectorise a
// loop over it and the bits do not depend on the C library. Relative error below 2e-7 (measured
// by the tests); results below 2^-126 are flushed to 0, so -infinity gives 0.
#pragma once

#include <bit>
#include <cstdint>

namespace llm::sampling {

inline float exp_nonpositive(float x) {
  constexpr float kLog2e = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;  // 9 significant bits: n * kLn2High is exact
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  constexpr float kLowest = -87.0F;

  const float shifted = x * kLog2e + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  // Minimax polynomial of e^r on [-ln2/2, ln2/2] (Cephes expf).
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  // The low bits of `shifted` hold n; moved into the exponent they make 2^n.
  const auto bits = std::bit_cast<std::uint32_t>(shifted);
  const float scale = std::bit_cast<float>((bits + 127U) << 23);
  // Below the range all of the above is meaningless, and masked away: a branch would keep the loop
  // from being vectorised.
  const std::uint32_t in_range = 0U - static_cast<std::uint32_t>(x > kLowest);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(p * scale) & in_range);
}

}  // namespace llm::sampling
