// Encoders of the formats with sub-blocks (K family) and of IQ4_NL: fit a scale per sub-block,
// store the scales relative to the block's, then round every element against the scales as stored.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "quant/iq4_nl.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_k.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/scale_search.h"

namespace llm::quant {
namespace {

/// Nearest code for `value` against a stored scale; code 0 when the scale is zero.
int code(float value, float scale, int low, int high) {
  return scale != 0 ? round_clamped(value / scale, low, high) : std::max(low, 0);
}

/// Fits sub-blocks of an affine format and rounds scales and minima to `scale_levels` steps of d
/// and dmin.
template <int sub_blocks>
struct AffineScales {
  int scale[sub_blocks];
  int minimum[sub_blocks];

  AffineScales(const float* values, AffineSearch search, int scale_levels, bool squared_weights,
               StoredF16& d, StoredF16& dmin) {
    constexpr int kCount = 256 / sub_blocks;
    AffineFit fits[sub_blocks];
    float largest_scale = 0;
    float largest_minimum = 0;
    for (int b = 0; b < sub_blocks; ++b) {
      const float* x = values + kCount * b;
      float mean_square = 0;
      for (int e = 0; e < kCount; ++e) mean_square += x[e] * x[e] / static_cast<float>(kCount);
      // Large weights matter more; the offset keeps small ones from being ignored.
      const float offset = squared_weights ? std::sqrt(mean_square) : 0.0f;
      float weights[kCount];
      for (int e = 0; e < kCount; ++e) weights[e] = offset + std::fabs(x[e]);
      fits[b] = fit_affine(x, weights, kCount, search);
      largest_scale = std::max(largest_scale, fits[b].scale);
      largest_minimum = std::max(largest_minimum, fits[b].minimum);
    }
    const auto levels = static_cast<float>(scale_levels);
    const float to_scale = largest_scale > 0 ? levels / largest_scale : 0;
    const float to_minimum = largest_minimum > 0 ? levels / largest_minimum : 0;
    for (int b = 0; b < sub_blocks; ++b) {
      scale[b] = round_clamped(to_scale * fits[b].scale, 0, scale_levels);
      minimum[b] = round_clamped(to_minimum * fits[b].minimum, 0, scale_levels);
    }
    d.set(largest_scale / levels);
    dmin.set(largest_minimum / levels);
  }
};

/// Codes of all elements of an affine format, against the scales as stored.
template <int sub_blocks>
void affine_codes(const float* values, const AffineScales<sub_blocks>& scales, float d, float dmin,
                  int levels, int (&codes)[256]) {
  for (int e = 0; e < 256; ++e) {
    const int b = e / (256 / sub_blocks);
    const float scale = d * static_cast<float>(scales.scale[b]);
    const float minimum = dmin * static_cast<float>(scales.minimum[b]);
    codes[e] = code(values[e] + minimum, scale, 0, levels);
  }
}

/// Scales of 16 sub-blocks of a symmetric format, rounded to signed integers in [-bound, bound - 1]
/// steps of d. The largest one becomes exactly -bound.
void symmetric_scales(const float* values, int levels, int bound, int (&scales)[16], StoredF16& d) {
  float fits[16];
  for (int b = 0; b < 16; ++b) fits[b] = fit_symmetric(values + 16 * b, 16, levels);
  const float largest = largest_by_magnitude(fits, 16);
  const float to_scale = largest != 0 ? -static_cast<float>(bound) / largest : 0;
  for (int b = 0; b < 16; ++b) scales[b] = round_clamped(to_scale * fits[b], -bound, bound - 1);
  d.set(inverse_or_zero(to_scale));
}

/// Two low bits per element, as Q2_K and Q3_K store them.
void pack_two_bits(const int (&codes)[256], std::uint8_t (&qs)[64]) {
  for (int e = 0; e < 64; ++e) {
    const int* first = codes + 128 * (e / 32) + e % 32;
    qs[e] = static_cast<std::uint8_t>((first[0] & 3) | (first[32] & 3) << 2 | (first[64] & 3) << 4 |
                                      (first[96] & 3) << 6);
  }
}

/// Four low bits per element, as Q4_K and Q5_K store them.
void pack_pairs_of_32(const int (&codes)[256], std::uint8_t (&qs)[128]) {
  for (int e = 0; e < 128; ++e) {
    const int* first = codes + 64 * (e / 32) + e % 32;
    qs[e] = pack_nibbles(first[0] & 15, first[32] & 15);
  }
}

}  // namespace

void encode(const float* values, BlockQ2_K& block) {
  const AffineScales<16> scales(values, {.levels = 3, .first = -0.5f, .steps = 15}, 15, false,
                                block.d, block.dmin);
  for (int b = 0; b < 16; ++b) {
    block.scales[b] = pack_nibbles(scales.scale[b], scales.minimum[b]);
  }
  int codes[256];
  affine_codes(values, scales, block.d.get(), block.dmin.get(), 3, codes);
  pack_two_bits(codes, block.qs);
}

void encode(const float* values, BlockQ3_K& block) {
  int scales[16];
  symmetric_scales(values, 4, 32, scales, block.d);
  const float d = block.d.get();
  std::memset(block.scales, 0, sizeof block.scales);
  for (int b = 0; b < 16; ++b) {
    const int stored = scales[b] + 32;
    std::uint8_t& low = block.scales[b % 8];
    low = static_cast<std::uint8_t>(low | (stored & 15) << (b < 8 ? 0 : 4));
    std::uint8_t& high = block.scales[8 + b % 4];
    high = static_cast<std::uint8_t>(high | (stored >> 4) << (2 * (b / 4)));
  }
  std::memset(block.hmask, 0, sizeof block.hmask);
  int codes[256];  // value plus 4: bit 2 set means not negative
  for (int e = 0; e < 256; ++e) {
    codes[e] = code(values[e], d * static_cast<float>(scales[e / 16]), -4, 3) + 4;
    std::uint8_t& mask = block.hmask[e % 32];
    mask = static_cast<std::uint8_t>(mask | (codes[e] >> 2) << (e / 32));
  }
  pack_two_bits(codes, block.qs);
}

void encode(const float* values, BlockQ4_K& block) {
  const AffineScales<8> scales(values, {.levels = 15, .first = -1.0f, .steps = 20}, 63, true,
                               block.d, block.dmin);
  block.scales.set(scales.scale, scales.minimum);
  int codes[256];
  affine_codes(values, scales, block.d.get(), block.dmin.get(), 15, codes);
  pack_pairs_of_32(codes, block.qs);
}

void encode(const float* values, BlockQ5_K& block) {
  const AffineScales<8> scales(values, {.levels = 31, .first = -0.5f, .steps = 15}, 63, true,
                               block.d, block.dmin);
  block.scales.set(scales.scale, scales.minimum);
  int codes[256];
  affine_codes(values, scales, block.d.get(), block.dmin.get(), 31, codes);
  pack_pairs_of_32(codes, block.qs);
  for (int l = 0; l < 32; ++l) {
    int bits = 0;
    for (int b = 0; b < 8; ++b) bits |= (codes[32 * b + l] >> 4) << b;
    block.qh[l] = static_cast<std::uint8_t>(bits);
  }
}

void encode(const float* values, BlockQ6_K& block) {
  int scales[16];
  symmetric_scales(values, 32, 128, scales, block.d);
  const float d = block.d.get();
  int codes[256];
  for (int b = 0; b < 16; ++b) {
    block.scales[b] = static_cast<std::int8_t>(scales[b]);
    const float scale = d * static_cast<float>(scales[b]);
    for (int e = 16 * b; e < 16 * b + 16; ++e) codes[e] = code(values[e], scale, -32, 31) + 32;
  }
  for (int n = 0; n < 2; ++n) {
    for (int l = 0; l < 32; ++l) {
      const int* first = codes + 128 * n + l;
      block.ql[64 * n + l] = pack_nibbles(first[0] & 15, first[64] & 15);
      block.ql[64 * n + 32 + l] = pack_nibbles(first[32] & 15, first[96] & 15);
      block.qh[32 * n + l] = static_cast<std::uint8_t>(
          first[0] >> 4 | (first[32] >> 4) << 2 | (first[64] >> 4) << 4 | (first[96] >> 4) << 6);
    }
  }
}

namespace {

/// Index of the table entry nearest to `value`; NaN gives the first.
int nearest_iq4(float value) {
  int index = 0;
  while (index < 15 && value > 0.5f * static_cast<float>(kIq4Table[index] + kIq4Table[index + 1])) {
    ++index;
  }
  return index;
}

}  // namespace

void encode(const float* values, BlockIQ4_NL& block) {
  constexpr int kTries = 7;
  const float largest = largest_by_magnitude(values, 32);
  float best_scale = 0;
  float best_gain = 0;
  // The largest value as far beyond the last entry of the table as the first one is from zero, or
  // near the first one.
  for (int k = -kTries - 1; k <= kTries && std::fabs(largest) >= 1e-15f; ++k) {
    const int at_largest = k < -kTries ? -kIq4Table[0] : kIq4Table[0] + k;
    const float step = static_cast<float>(at_largest) / largest;
    float sum_qx = 0;
    float sum_qq = 0;
    for (int e = 0; e < 32; ++e) {
      const auto q = static_cast<float>(kIq4Table[nearest_iq4(step * values[e])]);
      const float weight = values[e] * values[e];
      sum_qx += weight * values[e] * q;
      sum_qq += weight * q * q;
    }
    if (sum_qq > 0 && sum_qx * sum_qx > best_gain * sum_qq) {
      best_scale = sum_qx / sum_qq;
      best_gain = best_scale * sum_qx;
    }
  }
  block.d.set(best_scale);
  const float inverse = inverse_or_zero(block.d.get());
  for (int e = 0; e < 16; ++e) {
    block.qs[e] =
        pack_nibbles(nearest_iq4(values[e] * inverse), nearest_iq4(values[e + 16] * inverse));
  }
}

}  // namespace llm::quant
