#include "quant/scale_search.h"

#include <algorithm>
#include <cmath>

#include "quant/block_fields.h"

namespace llm::quant {
namespace {

// Below this a group of weights is treated as zero: its scale would not survive f16 anyway.
constexpr float kTiny = 1e-15f;

float squared_error(const float* values, const float* weights, int count, float step,
                    const AffineFit& fit, float low, int levels) {
  float error = 0;
  for (int e = 0; e < count; ++e) {
    const auto q = static_cast<float>(round_clamped(step * (values[e] - low), 0, levels));
    const float difference = fit.scale * q - fit.minimum - values[e];
    error += weights[e] * difference * difference;
  }
  return error;
}

}  // namespace

AffineFit fit_affine(const float* values, const float* weights, int count, AffineSearch search) {
  const auto [smallest, largest] = std::minmax_element(values, values + count);
  const float low = std::min(*smallest, 0.0f);  // the format cannot store a positive offset
  const float range = *largest - low;
  if (!(range > 0)) return {0, -low};

  float sum_w = 0;
  float sum_x = 0;
  for (int e = 0; e < count; ++e) {
    sum_w += weights[e];
    sum_x += weights[e] * values[e];
  }
  const auto levels = static_cast<float>(search.levels);
  AffineFit best{range / levels, -low};
  float best_error =
      squared_error(values, weights, count, levels / range, best, low, search.levels);
  for (int k = 0; k <= search.steps; ++k) {
    const float step = (levels + search.first + 0.1f * static_cast<float>(k)) / range;
    float sum_q = 0;
    float sum_qq = 0;
    float sum_qx = 0;
    for (int e = 0; e < count; ++e) {
      const auto q = static_cast<float>(round_clamped(step * (values[e] - low), 0, search.levels));
      sum_q += weights[e] * q;
      sum_qq += weights[e] * q * q;
      sum_qx += weights[e] * q * values[e];
    }
    const float determinant = sum_w * sum_qq - sum_q * sum_q;
    if (!(determinant > 0)) continue;
    AffineFit fit{(sum_w * sum_qx - sum_x * sum_q) / determinant,
                  (sum_q * sum_qx - sum_qq * sum_x) / determinant};
    if (fit.minimum < 0) fit = {sum_qx / sum_qq, 0};
    const float error = squared_error(values, weights, count, step, fit, low, search.levels);
    if (error < best_error) {
      best_error = error;
      best = fit;
    }
  }
  return best;
}

float fit_symmetric(const float* values, int count, int levels) {
  const float largest = largest_by_magnitude(values, count);
  if (!(std::fabs(largest) >= kTiny)) return 0;
  float best_scale = 0;
  float best_gain = 0;  // the part of the weighted square sum that the fit explains
  for (int k = -9; k <= 9; ++k) {
    const float step = -(static_cast<float>(levels) + 0.1f * static_cast<float>(k)) / largest;
    float sum_qx = 0;
    float sum_qq = 0;
    for (int e = 0; e < count; ++e) {
      const auto q = static_cast<float>(round_clamped(step * values[e], -levels, levels - 1));
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
