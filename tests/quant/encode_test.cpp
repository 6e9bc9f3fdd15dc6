// Encoders: representable values survive exactly, errors stay within what each format can do, and
// no input (zero, huge, tiny, not finite) causes undefined behaviour.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "quant/block_fields.h"
#include "quant/quant.h"

namespace llm::quant {
namespace {

std::vector<float> round_trip(DType dtype, const std::vector<float>& values) {
  std::vector<std::byte> bytes(row_bytes(dtype, values.size()));
  const auto elements = static_cast<std::int64_t>(values.size());
  encode_row(dtype, values.data(), bytes.data(), elements);
  std::vector<float> decoded(values.size());
  decode_row(dtype, bytes.data(), decoded.data(), elements);
  return decoded;
}

std::vector<float> normal_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

/// Sum of squared errors over sum of squares.
double relative_error(const std::vector<float>& values, const std::vector<float>& decoded) {
  double error = 0;
  double power = 0;
  for (std::size_t e = 0; e < values.size(); ++e) {
    error += std::pow(static_cast<double>(values[e]) - static_cast<double>(decoded[e]), 2);
    power += std::pow(static_cast<double>(values[e]), 2);
  }
  return error / power;
}

std::vector<DType> encodable_blocks() {
  std::vector<DType> dtypes;
#define LLM_ADD(name, id, elements, bytes) \
  if (elements > 1 && can_encode(DType::name)) dtypes.push_back(DType::name);
  LLM_DTYPES(LLM_ADD)
#undef LLM_ADD
  return dtypes;
}

struct ErrorBound {
  DType dtype;
  double bound;
};

class EncodeError : public testing::TestWithParam<ErrorBound> {};

// The bounds lie a few per cent above what these encoders reach on normal values; a lost refinement
// step or a wrong code shows.
TEST_P(EncodeError, StaysNearTheFormatsOwnError) {
  const auto [dtype, bound] = GetParam();
  ASSERT_TRUE(can_encode(dtype));
  const std::vector<float> values = normal_values(64 * 256, 7);
  const double error = relative_error(values, round_trip(dtype, values));
  EXPECT_LT(error, bound);
  EXPECT_GT(error, bound / 2);
}

INSTANTIATE_TEST_SUITE_P(
    AllFormats, EncodeError,
    testing::Values(ErrorBound{DType::f16, 5e-8}, ErrorBound{DType::bf16, 3e-6},
                    ErrorBound{DType::q8_0, 3.1e-5}, ErrorBound{DType::q4_0, 7.9e-3},
                    ErrorBound{DType::q4_1, 6.6e-3}, ErrorBound{DType::q5_0, 2.0e-3},
                    ErrorBound{DType::q5_1, 1.6e-3}, ErrorBound{DType::q2_k, 8.8e-2},
                    ErrorBound{DType::q3_k, 2.5e-2}, ErrorBound{DType::q4_k, 5.6e-3},
                    ErrorBound{DType::q5_k, 1.4e-3}, ErrorBound{DType::q6_k, 3.4e-4},
                    ErrorBound{DType::iq4_nl, 6.2e-3}),
    [](const auto& format) { return std::string(to_string(format.param.dtype)); });

TEST(Encode, EveryEncodableBlockHasAnErrorBoundAbove) { EXPECT_EQ(encodable_blocks().size(), 11u); }

TEST(Encode, RepresentableValuesSurvive) {
  // 32 values k/4 that use the whole code range of each format.
  const auto ramp = [](float first, float last) {
    std::vector<float> values(32);
    for (std::size_t e = 0; e < 32; ++e) {
      const float step = std::fmod(static_cast<float>(e), last - first + 1.0f);
      values[e] = (first + step) * 0.25f;
    }
    return values;
  };
  for (const auto& [dtype, values] :
       std::vector<std::pair<DType, std::vector<float>>>{{DType::q4_0, ramp(-8, 7)},
                                                         {DType::q4_1, ramp(3, 18)},
                                                         {DType::q5_0, ramp(-16, 15)},
                                                         {DType::q5_1, ramp(-3, 28)}}) {
    EXPECT_EQ(round_trip(dtype, values), values) << to_string(dtype);
  }
  std::vector<float> bytes_range = ramp(-8, 23);
  bytes_range[5] = 127 * 0.25f;
  EXPECT_EQ(round_trip(DType::q8_0, bytes_range), bytes_range);
}

TEST(Encode, SixBitScalesHoldTheirWholeRange) {
  // Sub-blocks of very different size need every scale and minimum bit of Q4_K and Q5_K.
  std::vector<float> values = normal_values(256, 3);
  for (std::size_t e = 0; e < 256; ++e) values[e] *= std::ldexp(1.0f, static_cast<int>(e / 32) - 4);
  for (const DType dtype : {DType::q4_k, DType::q5_k}) {
    const std::vector<float> decoded = round_trip(dtype, values);
    for (std::size_t b = 0; b < 8; ++b) {
      double largest = 0;
      double error = 0;
      for (std::size_t e = 32 * b; e < 32 * b + 32; ++e) {
        largest = std::max(largest, std::abs(static_cast<double>(values[e])));
        error = std::max(error, std::abs(static_cast<double>(values[e] - decoded[e])));
      }
      // Scales are stored in 63 steps of the largest one; even the smallest sub-block is resolved.
      EXPECT_LT(error, 0.15 * largest + 0.02) << to_string(dtype) << " sub-block " << b;
    }
  }
}

TEST(Encode, ZeroStaysZero) {
  const std::vector<float> zeros(256, 0.0f);
  for (const DType dtype : encodable_blocks()) {
    EXPECT_EQ(round_trip(dtype, zeros), zeros) << to_string(dtype);
  }
}

TEST(Encode, ConstantAndOneSidedBlocks) {
  for (const float value : {1.0f, -1.0f}) {
    const std::vector<float> values(256, value);
    for (const DType dtype : encodable_blocks()) {
      EXPECT_LT(relative_error(values, round_trip(dtype, values)), 1e-3)
          << to_string(dtype) << " of " << value;
    }
  }
}

TEST(Encode, DecodedValuesAreAFixedPoint) {
  const std::vector<float> values = normal_values(256, 11);
  for (const DType dtype : {DType::q4_0, DType::q5_0, DType::q8_0, DType::iq4_nl}) {
    const std::vector<float> once = round_trip(dtype, values);
    EXPECT_LT(relative_error(once, round_trip(dtype, once)), 1e-6) << to_string(dtype);
  }
}

TEST(Encode, ExtremeInputIsHarmless) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const float odd : {kInf, -kInf, kNan, 3e38f, -3e38f, 1e-38f, 1e-45f, 7e4f}) {
    for (const DType dtype : encodable_blocks()) {
      std::vector<float> values = normal_values(256, 5);
      values[0] = odd;
      values[100] = odd;
      round_trip(dtype, values);
      round_trip(dtype, std::vector<float>(256, odd));
    }
  }
}

TEST(Encode, TinyValuesDoNotBlowUp) {
  const std::vector<float> values(256, 1e-30f);
  for (const DType dtype : encodable_blocks()) {
    for (const float value : round_trip(dtype, values)) {
      EXPECT_LE(std::abs(value), 1e-6f) << to_string(dtype);
    }
  }
}

// Halves, their neighbours, and what lies beyond the bounds.
TEST(Rounding, IsThatOfTheStandardLibraryWithinTheBounds) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (int twice = -300; twice <= 300; ++twice) {
    const float half = static_cast<float>(twice) / 2;
    for (const float value : {half, std::nextafter(half, kInf), std::nextafter(half, -kInf)}) {
      const float bounded = std::fmin(std::fmax(value, -127.0f), 127.0f);
      EXPECT_EQ(round_half_away(value, 127), static_cast<int>(std::round(bounded))) << value;
      EXPECT_EQ(round_clamped(value, -127, 127), static_cast<int>(std::nearbyint(bounded)))
          << value;
      const float raised = std::fmin(std::fmax(value + 0.5f, 0.0f), 31.0f);
      EXPECT_EQ(round_half_up(value, 31), static_cast<int>(raised)) << value;
    }
  }
  const float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(round_clamped(kNan, -3, 5), -3);
  EXPECT_EQ(round_half_away(-kInf, 127), -127);
  EXPECT_EQ(round_half_away(kInf, 127), 127);
}

TEST(Encode, SixteenBitRoundingIsToNearestEven) {
  EXPECT_EQ(round_trip(DType::bf16, {1.0f + 0x1p-8f, 1.0f + 0x3p-8f}),
            (std::vector<float>{1.0f, 1.0f + 0x1p-6f}));
  EXPECT_EQ(round_trip(DType::f16, {1.0f + 0x1p-11f, 1.0f + 0x3p-11f}),
            (std::vector<float>{1.0f, 1.0f + 0x1p-9f}));
}

TEST(Encode, UnlistedTypesAreRefused) {
  EXPECT_FALSE(can_encode(DType::i32));
  EXPECT_FALSE(can_encode(DType::iq4_xs));
  EXPECT_FALSE(can_encode(DType::f8_e4m3));
}

}  // namespace
}  // namespace llm::quant
