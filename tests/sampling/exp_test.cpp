// Accuracy of the exponential and stability of the random generator: both decide which token a
// seed gives, so neither may drift.
#include "sampling/exp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "sampling/random.h"

namespace llm::sampling {
namespace {

TEST(Exp, IsWithinTwoUlpOfTheExactValue) {
  double worst = 0;
  for (float x = 0; x > -86.9F; x -= 0.00137F) {
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(static_cast<double>(exp_nonpositive(x)) - exact) / exact);
  }
  EXPECT_LT(worst, 2e-7);
}

TEST(Exp, EndsOfTheRange) {
  EXPECT_EQ(exp_nonpositive(0.0F), 1.0F);
  EXPECT_EQ(exp_nonpositive(-0.0F), 1.0F);
  EXPECT_GT(exp_nonpositive(-86.9F), 0.0F);
  EXPECT_EQ(exp_nonpositive(-87.0F), 0.0F);
  EXPECT_EQ(exp_nonpositive(-1e30F), 0.0F);
  EXPECT_EQ(exp_nonpositive(-std::numeric_limits<float>::infinity()), 0.0F);
}

TEST(Random, IsTheSameOnEveryMachine) {
  Random random(42);
  // Computed from the published formulas in arbitrary-precision arithmetic.
  EXPECT_EQ(random.next_u32(), 0xc754f975U);
  EXPECT_EQ(random.next_u64(), 0x69702243ee7b157fU);
}

TEST(Random, BelowStaysInRangeAndReachesBothEnds) {
  Random random(1);
  int zeros = 0;
  int lasts = 0;
  for (int draw = 0; draw < 1000; ++draw) {
    const std::uint64_t value = random.below(5);
    ASSERT_LT(value, 5U);
    zeros += value == 0;
    lasts += value == 4;
  }
  EXPECT_GT(zeros, 150);
  EXPECT_GT(lasts, 150);
  EXPECT_EQ(random.below(1), 0U);
}

}  // namespace
}  // namespace llm::sampling
