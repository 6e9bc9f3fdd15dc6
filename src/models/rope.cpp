#include "models/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace llm::models {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;

double base_frequency(double theta, int pair, int dim) {
  return std::pow(theta, -2.0 * pair / dim);
}

// Dimensions that complete more than N / high turns keep their frequency, those below N / low turns
// are divided by the factor, those between are blended.
double llama3_frequency(const RopeConfig& c, double inverse) {
  const double wavelength = kTwoPi / inverse;
  const auto original = static_cast<double>(c.original_positions);
  if (wavelength < original / c.high_freq_factor) return inverse;
  if (wavelength > original / c.low_freq_factor) return inverse / c.factor;
  const double smooth =
      (original / wavelength - c.low_freq_factor) / (c.high_freq_factor - c.low_freq_factor);
  return (1.0 - smooth) * inverse / c.factor + smooth * inverse;
}

// The range of pair indices over which YaRN goes from extrapolation to interpolation.
std::pair<double, double> yarn_range(const RopeConfig& c) {
  const auto dimension_of_turns = [&](double turns) {
    return c.rotary_dim * std::log(static_cast<double>(c.original_positions) / (turns * kTwoPi)) /
           (2.0 * std::log(c.theta));
  };
  double low = dimension_of_turns(c.beta_fast);
  double high = dimension_of_turns(c.beta_slow);
  if (c.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(c.rotary_dim - 1));
  if (low == high) high += 0.001;
  return {low, high};
}

double yarn_mscale(double scale, double weight) {
  return scale <= 1.0 ? 1.0 : 0.1 * weight * std::log(scale) + 1.0;
}

double yarn_attention_factor(const RopeConfig& c) {
  if (c.attention_factor) return *c.attention_factor;
  if (c.mscale != 0.0 && c.mscale_all_dim != 0.0) {
    return yarn_mscale(c.factor, c.mscale) / yarn_mscale(c.factor, c.mscale_all_dim);
  }
  return yarn_mscale(c.factor, 1.0);
}

// `factor` is the ratio of the extended to the original length.
double longrope_attention_factor(const RopeConfig& c) {
  if (c.attention_factor) return *c.attention_factor;
  if (c.factor <= 1.0) return 1.0;
  return std::sqrt(1.0 + std::log(c.factor) / std::log(static_cast<double>(c.original_positions)));
}

}  // namespace

std::string_view to_string(RopeScaling scaling) {
  switch (scaling) {
    case RopeScaling::none:
      return "none";
    case RopeScaling::linear:
      return "linear";
    case RopeScaling::dynamic_ntk:
      return "dynamic";
    case RopeScaling::llama3:
      return "llama3";
    case RopeScaling::yarn:
      return "yarn";
    case RopeScaling::longrope:
      return "longrope";
  }
  return "none";
}

std::int64_t extended_positions(std::int64_t original, double factor) {
  const double length = static_cast<double>(original) * factor;
  return length >= 1 && length < 0x1p31 ? static_cast<std::int64_t>(length) : original;
}

Rope::Rope(RopeConfig config) : config_(std::move(config)) {
  const int dim = config_.rotary_dim;
  inverse_.resize(static_cast<std::size_t>(pairs()));
  const auto [low, high] =
      config_.scaling == RopeScaling::yarn ? yarn_range(config_) : std::pair{0.0, 1.0};
  for (int pair = 0; pair < pairs(); ++pair) {
    double inverse = base_frequency(config_.theta, pair, dim);
    switch (config_.scaling) {
      case RopeScaling::linear:
        inverse /= config_.factor;
        break;
      case RopeScaling::llama3:
        inverse = llama3_frequency(config_, inverse);
        break;
      case RopeScaling::yarn: {
        const double ramp = std::clamp((pair - low) / (high - low), 0.0, 1.0);
        inverse = inverse / config_.factor * ramp + inverse * (1.0 - ramp);
        break;
      }
      case RopeScaling::none:
      case RopeScaling::dynamic_ntk:
      case RopeScaling::longrope:
        break;
    }
    const auto index = static_cast<std::size_t>(pair);
    if (!config_.long_divisors.empty()) {
      long_inverse_.push_back(
          static_cast<float>(inverse / static_cast<double>(config_.long_divisors[index])));
    }
    if (!config_.divisors.empty()) inverse /= static_cast<double>(config_.divisors[index]);
    inverse_[index] = static_cast<float>(inverse);
  }
  if (config_.scaling == RopeScaling::yarn) {
    attention_factor_ = static_cast<float>(yarn_attention_factor(config_));
  }
  if (config_.scaling == RopeScaling::longrope) {
    attention_factor_ = static_cast<float>(longrope_attention_factor(config_));
  }
}

void Rope::fill_dynamic(std::int64_t length, float* inverse) const {
  const double dim = config_.rotary_dim;
  const double growth = config_.factor * static_cast<double>(length) /
                            static_cast<double>(config_.original_positions) -
                        (config_.factor - 1.0);
  const double theta = config_.theta * std::pow(growth, dim / (dim - 2.0));
  for (int pair = 0; pair < pairs(); ++pair) {
    inverse[pair] = static_cast<float>(base_frequency(theta, pair, config_.rotary_dim));
  }
}

std::vector<float> Rope::inverse_frequencies(std::int64_t length) const {
  if (epoch(length) == 0) return inverse_;
  if (config_.scaling == RopeScaling::longrope) return long_inverse_;
  std::vector<float> inverse(inverse_.size());
  fill_dynamic(length, inverse.data());
  return inverse;
}

void Rope::rotation(std::int64_t position, std::int64_t length, float* cos, float* sin) const {
  const float* inverse = inverse_.data();
  if (epoch(length) != 0) {
    if (config_.scaling == RopeScaling::longrope) {
      inverse = long_inverse_.data();
    } else {
      fill_dynamic(length, cos);  // cos holds the frequencies until they are overwritten below
      inverse = cos;
    }
  }
  for (int pair = 0; pair < pairs(); ++pair) {
    // The angle is an f32 product, as in the reference; its cosine is then taken exactly.
    const float angle = static_cast<float>(position) * inverse[pair];
    cos[pair] = static_cast<float>(std::cos(static_cast<double>(angle))) * attention_factor_;
    sin[pair] = static_cast<float>(std::sin(static_cast<double>(angle))) * attention_factor_;
  }
}

std::vector<float> llama3_divisors(const RopeConfig& config) {
  std::vector<float> divisors(static_cast<std::size_t>(config.rotary_dim / 2));
  for (std::size_t pair = 0; pair < divisors.size(); ++pair) {
    const double inverse =
        base_frequency(config.theta, static_cast<int>(pair), config.rotary_dim);
    divisors[pair] = static_cast<float>(inverse / llama3_frequency(config, inverse));
  }
  return divisors;
}

}  // namespace llm::models
