// All 65536 codes of both 16-bit float types, and the rounding between neighbours.
#include "core/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace llm::core {
namespace {

/// The value of a binary16 code from its definition.
double f16_value(std::uint32_t code) {
  const auto exponent = static_cast<int>((code >> 10) & 31u);
  const auto mantissa = static_cast<double>(code & 1023u);
  double magnitude = 0;
  if (exponent == 0) {
    magnitude = std::ldexp(mantissa, -24);
  } else if (exponent == 31) {
    magnitude = mantissa == 0 ? std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::quiet_NaN();
  } else {
    magnitude = std::ldexp(1024 + mantissa, exponent - 25);
  }
  return code < 0x8000u ? magnitude : -magnitude;
}

TEST(F16, EveryCodeMeansItsDefinition) {
  for (std::uint32_t code = 0; code < 65536; ++code) {
    const float value = f16_to_f32(static_cast<std::uint16_t>(code));
    const double expected = f16_value(code);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << code;
    } else {
      ASSERT_EQ(static_cast<double>(value), expected) << code;
    }
    ASSERT_EQ(std::signbit(value), code >= 0x8000u) << code;
  }
}

TEST(F16, EveryCodeSurvivesTheRoundTrip) {
  for (std::uint32_t code = 0; code < 65536; ++code) {
    const float value = f16_to_f32(static_cast<std::uint16_t>(code));
    const std::uint16_t back = f32_to_f16(value);
    if (std::isnan(value)) {
      ASSERT_EQ(back, code | 0x200u) << code;  // quiet, sign and payload kept
    } else {
      ASSERT_EQ(back, code) << code;
    }
  }
}

TEST(F16, RoundsToNearestEvenBetweenAllNeighbours) {
  // Finite positive codes and the one above; the middle is exact in f32.
  for (std::uint32_t code = 0; code < 0x7bff; ++code) {
    const float low = f16_to_f32(static_cast<std::uint16_t>(code));
    const float high = f16_to_f32(static_cast<std::uint16_t>(code + 1));
    const float middle = low + (high - low) / 2;
    const std::uint32_t even = code + code % 2;
    ASSERT_EQ(f32_to_f16(middle), even) << code;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, 0.0f)), code) << code;
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, high)), code + 1) << code;
    ASSERT_EQ(f32_to_f16(-middle), even | 0x8000u) << code;
  }
}

TEST(F16, LargeAndTinyValues) {
  EXPECT_EQ(f32_to_f16(65504.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(std::nextafter(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(f32_to_f16(-std::numeric_limits<float>::infinity()), 0xfc00);
  EXPECT_EQ(f32_to_f16(0x1p-25f), 0x0000);  // a tie with zero
  EXPECT_EQ(f32_to_f16(std::nextafter(0x1p-25f, 1.0f)), 0x0001);
  EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::denorm_min()), 0x0000);
  EXPECT_EQ(f32_to_f16(-0.0f), 0x8000);
}

TEST(Bf16, EveryCodeIsTheUpperHalf) {
  for (std::uint32_t code = 0; code < 65536; ++code) {
    const float value = bf16_to_f32(static_cast<std::uint16_t>(code));
    ASSERT_EQ(std::bit_cast<std::uint32_t>(value), code << 16) << code;
    const std::uint16_t back = f32_to_bf16(value);
    ASSERT_EQ(back, std::isnan(value) ? code | 0x40u : code) << code;
  }
}

TEST(Bf16, RoundsToNearestEvenBetweenAllNeighbours) {
  for (std::uint32_t code = 0; code < 0x7f80; ++code) {
    const std::uint32_t middle = code << 16 | 0x8000u;
    const std::uint32_t even = code + code % 2;
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(middle)), even) << code;
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(middle - 1)), code) << code;
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(middle + 1)), code + 1) << code;
    ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(middle | 0x80000000u)), even | 0x8000u) << code;
  }
}

TEST(Bf16, NanNeverBecomesInfinity) {
  // The payload lies in the half that is cut off.
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7fffffffu)))));
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
}

}  // namespace
}  // namespace llm::core
