// Log-probabilities reported beside tokens.
#include "sampling/logprobs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

namespace llm::sampling {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

TEST(Logprobs, AreTheLogSoftmaxOfTheRawLogits) {
  const std::vector<float> logits = {std::log(0.1F) + 7, std::log(0.6F) + 7, std::log(0.3F) + 7};
  const auto result = token_logprobs(logits, 2, 2);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result.value().chosen.id, 2);
  EXPECT_NEAR(result.value().chosen.logprob, std::log(0.3), 1e-6);
  ASSERT_EQ(result.value().alternatives.size(), 2U);
  EXPECT_EQ(result.value().alternatives[0].id, 1);
  EXPECT_NEAR(result.value().alternatives[0].logprob, std::log(0.6), 1e-6);
  EXPECT_EQ(result.value().alternatives[1].id, 2);
}

TEST(Logprobs, SumToOneOverALargeVocabulary) {
  std::vector<float> logits(50000);
  for (std::size_t id = 0; id < logits.size(); ++id) {
    logits[id] = static_cast<float>((id * 7919) % 1000) * 0.02F;
  }
  const auto result = token_logprobs(logits, 0, 50000);
  ASSERT_TRUE(result.has_value());
  ASSERT_EQ(result.value().alternatives.size(), logits.size());
  double sum = 0;
  for (const Logprob& entry : result.value().alternatives) {
    sum += std::exp(static_cast<double>(entry.logprob));
  }
  EXPECT_NEAR(sum, 1.0, 1e-5);
}

TEST(Logprobs, TiesAreListedByIdAndNoneIsPositive) {
  const auto result = token_logprobs(std::vector<float>{5, 9, 9, 9}, 0, 3);
  ASSERT_TRUE(result.has_value());
  for (std::size_t rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(result.value().alternatives[rank].id, static_cast<std::int32_t>(rank) + 1);
    EXPECT_LE(result.value().alternatives[rank].logprob, 0.0F);
  }
  EXPECT_EQ(token_logprobs(std::vector<float>{3}, 0, 1).value().chosen.logprob, 0.0F);
}

TEST(Logprobs, MaskedTokensHaveNoProbability) {
  const auto result = token_logprobs(std::vector<float>{kMasked, 1, kMasked}, 0, 20);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result.value().chosen.logprob, kMasked);
  EXPECT_EQ(result.value().alternatives.size(), 1U);
}

TEST(Logprobs, BadRowsAreErrors) {
  EXPECT_FALSE(token_logprobs(std::vector<float>{0, NAN}, 0, 0).has_value());
  EXPECT_FALSE(token_logprobs(std::vector<float>{0, INFINITY}, 0, 0).has_value());
  EXPECT_FALSE(token_logprobs(std::vector<float>{kMasked, kMasked}, 0, 0).has_value());
}

}  // namespace
}  // namespace llm::sampling
