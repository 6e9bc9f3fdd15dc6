#include "quant/scale_search.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "quant/block_fields.h"

namespace llm::quant {
namespace {

// Below this a group of weights is treated as zero: its scale would not survive f16 anyway.
constexpr float kTiny = 1e-15f;
constexpr int kMaxGroup = 32;

// Weighted sums over a group of values and their codes, from which a line is fitted.
struct Sums {
  float q = 0;   // of w q
  float qq = 0;  // of w q q
  float qx = 0;  // of w q x
};

Sums codes_and_sums(const float* values, const float* weights, int count, float low, float step,
                    float levels, float* codes) {
  Sums sums;
  for (int e = 0; e < count; ++e) codes[e] = round_clamped(step * (values[e] - low), 0.0f, levels);
  for (int e = 0; e < count; ++e) {
    const float weighted = weights[e] * codes[e];
    sums.q += weighted;
    sums.qq += weighted * codes[e];
    sums.qx += weighted * values[e];
  }
  return sums;
}

float squared_error(const float* values, const float* weights, const float* codes, int count,
                    const AffineFit& fit) {
  float error = 0;
  for (int e = 0; e < count; ++e) {
    const float difference = fit.scale * codes[e] - fit.minimum - values[e];
    error += weights[e] * difference * difference;
  }
  return error;
}

}  // namespace

AffineFit fit_affine(const float* values, const float* weights, int count, AffineSearch search) {
  LLM_CHECK(count <= kMaxGroup);
  const auto [smallest, largest] = std::minmax_element(values, values + count);
  float low = std::min(*smallest, 0.0f);  // the format cannot store a positive offset
  if (!(*largest > low)) return {0, -low};

  float sum_w = 0;
  float sum_x = 0;
  for (int e = 0; e < count; ++e) {
    sum_w += weights[e];
    sum_x += weights[e] * values[e];
  }
  const auto levels = static_cast<float>(search.levels);
  float codes[kMaxGroup];
  AffineFit best{(*largest - low) / levels, -low};
  codes_and_sums(values, weights, count, low, levels / (*largest - low), levels, codes);
  float best_error = squared_error(values, weights, codes, count, best);
  for (int k = 0; k <= search.steps && *largest > low; ++k) {
    const float step = (levels + search.first + 0.1f * static_cast<float>(k)) / (*largest - low);
    const Sums sums = codes_and_sums(values, weights, count, low, step, levels, codes);
    const float determinant = sum_w * sums.qq - sums.q * sums.q;
    if (!(determinant > 0)) continue;
    AffineFit fit{(sum_w * sums.qx - sum_x * sums.q) / determinant,
                  (sums.q * sums.qx - sums.qq * sum_x) / determinant};
    if (fit.minimum < 0) fit = {sums.qx / sums.qq, 0};
    const float error = squared_error(values, weights, codes, count, fit);
    if (error < best_error) {
      best_error = error;
      best = fit;
      low = -fit.minimum;  // further candidates start from the better offset
    }
  }
  return best;
}

float fit_symmetric(const float* values, int count, int levels) {
  const float largest = largest_by_magnitude(values, count);
  if (!(std::fabs(largest) >= kTiny)) return 0;
  float best_scale = 0;
  float best_gain = 0;  // the part of the weighted square sum that the fit explains
  for (int try_number = -1; try_number < 19; ++try_number) {
    const int k = try_number < 0 ? 0 : try_number - 9;  // of equal ones, the obvious candidate
    const float step = -(static_cast<float>(levels) + 0.1f * static_cast<float>(k)) / largest;
    float sum_qx = 0;
    float sum_qq = 0;
    for (int e = 0; e < count; ++e) {
      const float q = round_clamped(step * values[e], static_cast<float>(-levels),
                                    static_cast<float>(levels - 1));
      const float weight = values[e] * values[e];
      sum_qx += weight * values[e] * q;
      sum_qq += weight * q * q;
    }
    if (sum_qq > 0 && sum_qx * sum_qx > best_gain * sum_qq) {
      best_scale = sum_qx / sum_qq;
      best_gain = best_scale * sum_qx;
    }
  }
  return best_scale;
}

}  // namespace llm::quant
