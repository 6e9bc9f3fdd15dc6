#include "engine/logit_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace llm::engine {

bool all_finite(std::span<const float> logits) {
  return std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); });
}

std::int32_t likeliest_token(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

double log_sum_exp(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

double negative_log_likelihood(std::span<const float> logits, std::int32_t token) {
  return log_sum_exp(logits) - static_cast<double>(logits[static_cast<std::size_t>(token)]);
}

double kl_divergence(std::span<const float> a, std::span<const float> b) {
  const double log_sum_a = log_sum_exp(a);
  const double log_sum_b = log_sum_exp(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double log_a = static_cast<double>(a[i]) - log_sum_a;
    const double log_b = static_cast<double>(b[i]) - log_sum_b;
    sum += std::exp(log_a) * (log_a - log_b);
  }
  return std::max(sum, 0.0);  // rounding can leave a little less than 0
}

void Perplexity::add(double negative_log_likelihood) {
  ++tokens_;
  const double distance = negative_log_likelihood - mean_;
  mean_ += distance / static_cast<double>(tokens_);
  squares_ += distance * (negative_log_likelihood - mean_);
}

double Perplexity::value() const { return std::exp(mean_); }

double Perplexity::standard_error() const {
  if (tokens_ < 2) return 0;
  const auto n = static_cast<double>(tokens_);
  return value() * std::sqrt(squares_ / (n - 1) / n);
}

void LogitDifference::add(std::span<const float> a, std::span<const float> b) {
  ++positions_;
  if (likeliest_token(a) == likeliest_token(b)) ++agreeing_;
  double difference = 0;
  double scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = std::max(difference, std::abs(static_cast<double>(a[i]) - b[i]));
    scale = std::max(scale, std::abs(static_cast<double>(a[i])));
  }
  max_absolute_ = std::max(max_absolute_, difference);
  if (difference > 0) {
    const double relative =
        scale > 0 ? difference / scale : std::numeric_limits<double>::infinity();
    max_relative_ = std::max(max_relative_, relative);
  }
  const double kl = kl_divergence(a, b);
  sum_kl_ += kl;
  max_kl_ = std::max(max_kl_, kl);
}

double LogitDifference::agreement() const {
  return static_cast<double>(agreeing_) / static_cast<double>(positions_);
}

double LogitDifference::mean_kl() const { return sum_kl_ / static_cast<double>(positions_); }

}  // namespace llm::engine
