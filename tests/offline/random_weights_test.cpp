// Random weights: repeatable, different where they should differ, and distributed as stated.
#include "offline/random_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace llm::offline {
namespace {

std::vector<float> row(std::uint64_t seed, std::string_view tensor, std::int64_t index,
                       std::size_t length = 64) {
  std::vector<float> values(length);
  RandomWeights(seed, tensor).fill(index, 0.0F, 1.0F, values);
  return values;
}

TEST(RandomWeights, DependOnSeedTensorAndRowAlone) {
  EXPECT_EQ(row(1, "a", 2), row(1, "a", 2));
  EXPECT_NE(row(1, "a", 2), row(2, "a", 2));
  EXPECT_NE(row(1, "a", 2), row(1, "b", 2));
  EXPECT_NE(row(1, "a", 2), row(1, "a", 3));
}

TEST(RandomWeights, ALongerRowBeginsLikeAShorterOne) {
  const std::vector<float> shorter = row(1, "a", 0, 10);
  const std::vector<float> longer = row(1, "a", 0, 20);
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), longer.begin()));
}

TEST(RandomWeights, HaveTheMeanAndDeviationAskedFor) {
  constexpr std::size_t kCount = 200000;
  std::vector<float> values(kCount);
  RandomWeights(7, "w").fill(0, 1.0F, 0.1F, values);
  double sum = 0;
  double squares = 0;
  for (const float value : values) {
    sum += static_cast<double>(value);
    squares += (static_cast<double>(value) - 1.0) * (static_cast<double>(value) - 1.0);
    ASSERT_LT(std::abs(value - 1.0F), 0.35F);
  }
  EXPECT_NEAR(sum / kCount, 1.0, 0.001);
  EXPECT_NEAR(std::sqrt(squares / kCount), 0.1, 0.001);
}

}  // namespace
}  // namespace llm::offline
