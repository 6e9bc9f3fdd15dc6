// Frequencies and factors of rotary scalings, against published numbers and the formulae.
#include "models/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace llm::models {
namespace {

TEST(Rope, Llama3DivisorsAreThePublishedOnes) {
  const Rope plain({.theta = 5e5, .rotary_dim = 128});
  const Rope scaled({.theta = 5e5,
                     .rotary_dim = 128,
                     .scaling = RopeScaling::llama3,
                     .factor = 8,
                     .original_positions = 8192,
                     .low_freq_factor = 1,
                     .high_freq_factor = 4});
  const auto before = plain.inverse_frequencies(1);
  const auto after = scaled.inverse_frequencies(1);
  const double expected[] = {1.20748, 1.55341, 2.02631, 2.69453, 3.68425, 5.25733};
  for (std::size_t pair = 0; pair < 64; ++pair) {
    const double divisor = static_cast<double>(before[pair]) / static_cast<double>(after[pair]);
    const double wanted = pair < 29 ? 1.0 : pair < 35 ? expected[pair - 29] : 8.0;
    EXPECT_NEAR(divisor, wanted, 1e-4) << "pair " << pair;
  }
}

TEST(Rope, YarnFactorIsThePublishedOne) {
  const Rope rope({.theta = 1e6,
                   .rotary_dim = 128,
                   .scaling = RopeScaling::yarn,
                   .factor = 4,
                   .original_positions = 32768});
  EXPECT_NEAR(rope.attention_factor(), 1.138629436, 1e-7);
}

RopeConfig longrope() {
  return {.theta = 1e4,
          .rotary_dim = 4,
          .scaling = RopeScaling::longrope,
          .factor = 32,
          .original_positions = 4096,
          .divisors = {1.0F, 2.0F},
          .long_divisors = {4.0F, 8.0F}};
}

TEST(Rope, LongRopeFactorIsThePublishedOne) {
  EXPECT_NEAR(Rope(longrope()).attention_factor(), 1.190238071, 1e-6);
  RopeConfig stated = longrope();
  stated.attention_factor = 1.5;
  EXPECT_EQ(Rope(stated).attention_factor(), 1.5F);
}

TEST(Rope, LongRopeDividesByTheLongFactorsFromTheFirstPositionPastTheOriginalLength) {
  const Rope rope(longrope());
  EXPECT_EQ(rope.epoch(4096), 0);
  EXPECT_EQ(rope.epoch(4097), 1);
  EXPECT_EQ(rope.epoch(100000), 1) << "one change only";
  EXPECT_NEAR(rope.inverse_frequencies(4096)[1], 0.01 / 2, 1e-9);
  EXPECT_NEAR(rope.inverse_frequencies(4097)[1], 0.01 / 8, 1e-9);
  float cos[2];
  float sin[2];
  rope.rotation(3, 4097, cos, sin);  // an early position of a long sequence
  EXPECT_NEAR(cos[0], 1.190238071 * std::cos(3.0 / 4.0), 1e-6);
  EXPECT_NEAR(sin[1], 1.190238071 * std::sin(3.0 * 0.01 / 8.0), 1e-6);
}

}  // namespace
}  // namespace llm::models
