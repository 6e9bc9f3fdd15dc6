// Measures over logits: log-likelihoods, perplexity, and how far two models' logits lie apart. All
// sums are in double; logits must be finite. Logarithms are natural (nats).
#pragma once

#include <cstdint>
#include <span>

namespace llm::engine {

bool all_finite(std::span<const float> logits);

/// Index of the largest logit; ties: the lowest. `logits` is not empty.
std::int32_t likeliest_token(std::span<const float> logits);

/// log(sum_i exp(logits[i])), the largest logit taken out of the sum. `logits` is not empty.
double log_sum_exp(std::span<const float> logits);

/// -log softmax(logits)[token]; `token` in range.
double negative_log_likelihood(std::span<const float> logits, std::int32_t token);

/// KL(A||B) = sum_i p_a(i) (log p_a(i) - log p_b(i)) of the two softmaxes; at least 0. Same
/// lengths.
double kl_divergence(std::span<const float> a, std::span<const float> b);

/// Perplexity of the tokens added: exp of the mean of their negative log-likelihoods.
class Perplexity {
 public:
  void add(double negative_log_likelihood);
  std::int64_t tokens() const { return tokens_; }
  /// 1 or more; at least one token must have been added.
  double value() const;
  /// Standard error to first order: value() times that of the mean, sqrt(s^2 / n) with the sample
  /// variance s^2; 0 for fewer than two tokens.
  double standard_error() const;

 private:
  std::int64_t tokens_ = 0;
  double mean_ = 0;
  double squares_ = 0;  // sum of squared distances from the mean (Welford's recurrence)
};

/// Distance between the logits of A and B over the positions added.
class LogitDifference {
 public:
  /// Both rows have the same length and are not empty.
  void add(std::span<const float> a, std::span<const float> b);

  std::int64_t positions() const { return positions_; }
  /// Share of positions whose likeliest token is the same.
  double agreement() const;
  double max_absolute() const { return max_absolute_; }
  /// Largest |a - b| divided by the largest |a| of the same position: single logits near 0 do not
  /// count more than others. Infinite where A is all zeros and B is not.
  double max_relative() const { return max_relative_; }
  double mean_kl() const;  ///< of KL(A||B)
  double max_kl() const { return max_kl_; }

 private:
  std::int64_t positions_ = 0;
  std::int64_t agreeing_ = 0;
  double max_absolute_ = 0;
  double max_relative_ = 0;
  double sum_kl_ = 0;
  double max_kl_ = 0;
};

}  // namespace llm::engine
