// Perplexity, divergence and differences are those of their definitions, on distributions whose
// values are known.
#include "engine/logit_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace llm::engine {
namespace {

using Logits = std::vector<float>;

TEST(LogitMetrics, PerplexityOfAUniformDistributionIsTheSizeOfTheVocabulary) {
  const Logits uniform(320, 2.5F);
  Perplexity perplexity;
  for (std::int32_t token = 0; token < 10; ++token) {
    perplexity.add(negative_log_likelihood(uniform, token));
  }
  EXPECT_NEAR(perplexity.value(), 320, 1e-9);
  EXPECT_NEAR(perplexity.standard_error(), 0, 1e-9);
  EXPECT_EQ(perplexity.tokens(), 10);
}

TEST(LogitMetrics, StandardErrorIsThatOfTheMeanTimesThePerplexity) {
  Perplexity perplexity;
  for (const double value : {1.0, 2.0, 3.0, 6.0}) perplexity.add(value);
  // Mean 3, sample variance (4 + 1 + 0 + 9) / 3.
  EXPECT_NEAR(perplexity.value(), std::exp(3.0), 1e-12);
  EXPECT_NEAR(perplexity.standard_error(), std::exp(3.0) * std::sqrt(14.0 / 3 / 4), 1e-12);
}

TEST(LogitMetrics, StandardErrorOfOneTokenIsNotNaN) {
  Perplexity perplexity;
  perplexity.add(2);
  EXPECT_EQ(perplexity.standard_error(), 0);
}

TEST(LogitMetrics, LargeLogitsDoNotOverflow) {
  const Logits logits = {1e5F, 1e5F, -1e5F};
  EXPECT_NEAR(negative_log_likelihood(logits, 0), std::log(2.0), 1e-9);
  EXPECT_NEAR(negative_log_likelihood(logits, 2), 2e5 + std::log(2.0), 1e-6);
}

TEST(LogitMetrics, DivergenceOfKnownDistributions) {
  const Logits half = {0, 0};                  // 1/2, 1/2
  const Logits quarter = {0, std::log(3.0F)};  // 1/4, 3/4
  EXPECT_NEAR(kl_divergence(half, quarter), 0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3), 1e-7);
  EXPECT_NEAR(kl_divergence(quarter, half), 0.25 * std::log(0.5) + 0.75 * std::log(1.5), 1e-7);
}

TEST(LogitMetrics, DivergenceIgnoresACommonShift) {
  const Logits a = {1, 2, 3};
  const Logits b = {11, 12, 13};
  EXPECT_NEAR(kl_divergence(a, b), 0, 1e-12);
  EXPECT_EQ(kl_divergence(a, a), 0);
}

TEST(LogitMetrics, DifferencesAreRelativeToTheLargestLogitOfThePosition) {
  LogitDifference difference;
  difference.add(Logits{1, -4}, Logits{1, -3});  // 1 of 4
  difference.add(Logits{10, 0}, Logits{10, 2});  // 2 of 10
  difference.add(Logits{0, 1}, Logits{1, 0});    // 1 of 1; another token is likeliest
  EXPECT_EQ(difference.positions(), 3);
  EXPECT_EQ(difference.max_absolute(), 2);
  EXPECT_EQ(difference.max_relative(), 1);
  EXPECT_NEAR(difference.agreement(), 2.0 / 3, 1e-12);
  EXPECT_GE(difference.max_kl(), difference.mean_kl());
  EXPECT_GT(difference.mean_kl(), 0);
}

TEST(LogitMetrics, NonFiniteLogitsAreSeen) {
  EXPECT_TRUE(all_finite(Logits{0, 1}));
  EXPECT_FALSE(all_finite(Logits{0, std::numeric_limits<float>::quiet_NaN()}));
  EXPECT_FALSE(all_finite(Logits{-std::numeric_limits<float>::infinity(), 0}));
}

}  // namespace
}  // namespace llm::engine
