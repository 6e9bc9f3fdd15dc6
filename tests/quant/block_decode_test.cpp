// Blocks made by hand, byte by byte, with values computed by hand: every field of every format lies
// where the format says, and every element reads its own bits.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "quant/quant.h"

namespace llm::quant {
namespace {

class Block {
 public:
  explicit Block(DType dtype) : dtype_(dtype), bytes_(dtype_info(dtype).block_bytes) {}

  Block& set(std::size_t offset, int byte) {
    bytes_.at(offset) = static_cast<std::byte>(byte);
    return *this;
  }
  Block& fill(std::size_t offset, std::size_t count, int byte) {
    for (std::size_t n = 0; n < count; ++n) set(offset + n, byte);
    return *this;
  }
  Block& set_f16(std::size_t offset, int bits) {
    return set(offset, bits & 0xff).set(offset + 1, bits >> 8);
  }
  std::vector<float> values() const {
    std::vector<float> values(dtype_info(dtype_).block_elements, -12345.0f);
    decode_row(dtype_, bytes_.data(), values.data(), static_cast<std::int64_t>(values.size()));
    return values;
  }

 private:
  DType dtype_;
  std::vector<std::byte> bytes_;
};

constexpr int kHalf = 0x3800;  // 0.5 as f16
constexpr int kOne = 0x3c00;
constexpr int kTwo = 0x4000;

/// All elements equal `base`, except those listed as (element, value).
void expect_values(const std::vector<float>& values, float base,
                   std::vector<std::pair<std::size_t, float>> exceptions) {
  std::vector<float> expected(values.size(), base);
  for (const auto& [element, value] : exceptions) expected.at(element) = value;
  for (std::size_t e = 0; e < values.size(); ++e)
    EXPECT_EQ(values[e], expected[e]) << "element " << e;
}

TEST(BlockDecode, Q4_0) {
  const auto values = Block(DType::q4_0).set_f16(0, kHalf).set(2, 0x9f).set(17, 0x70).values();
  expect_values(values, -4.0f, {{0, 3.5f}, {16, 0.5f}, {31, -0.5f}});
}

TEST(BlockDecode, Q4_1) {
  const auto values =
      Block(DType::q4_1).set_f16(0, kHalf).set_f16(2, kOne).set(4, 0x9f).set(19, 0x70).values();
  expect_values(values, 1.0f, {{0, 8.5f}, {16, 5.5f}, {31, 4.5f}});
}

TEST(BlockDecode, Q5_0) {
  // Fifth bits: element 1 (byte 2, bit 1) and element 31 (byte 5, bit 7).
  const auto values = Block(DType::q5_0)
                          .set_f16(0, kTwo)
                          .set(2, 0x02)
                          .set(5, 0x80)
                          .set(7, 0x03)
                          .set(21, 0xf0)
                          .values();
  expect_values(values, -32.0f, {{1, 6.0f}, {31, 30.0f}});
}

TEST(BlockDecode, Q5_1) {
  const auto values = Block(DType::q5_1)
                          .set_f16(0, kTwo)
                          .set_f16(2, kOne)
                          .set(4, 0x02)
                          .set(7, 0x80)
                          .set(9, 0x03)
                          .set(23, 0xf0)
                          .values();
  expect_values(values, 1.0f, {{1, 39.0f}, {31, 63.0f}});
}

TEST(BlockDecode, Q8_0) {
  const auto values = Block(DType::q8_0).set_f16(0, kHalf).set(2, 0x80).set(33, 127).values();
  expect_values(values, 0.0f, {{0, -64.0f}, {31, 63.5f}});
}

TEST(BlockDecode, Q2_K) {
  // Sub-block 9 = elements 144..159: scale 3, minimum 2; element 150 = 128 + 16 + 6 has j = 0.
  // Sub-block 15 = elements 240..255: scale 1, minimum 15; element 255 has j = 3, l = 31.
  const auto values = Block(DType::q2_k)
                          .set(9, 0x23)
                          .set(15, 0xf1)
                          .set(16 + 32 + 22, 0x03)
                          .set(16 + 32 + 31, 0xc0)
                          .set_f16(80, kTwo)
                          .set_f16(82, kHalf)
                          .values();
  for (std::size_t e = 0; e < 256; ++e) {
    float expected = 0.0f;
    if (e >= 144 && e < 160) expected = e == 150 ? 17.0f : -1.0f;  // 2*3*3 - 0.5*2
    if (e >= 240) expected = e == 255 ? -1.5f : -7.5f;             // 2*1*3 - 0.5*15
    EXPECT_EQ(values[e], expected) << "element " << e;
  }
}

TEST(BlockDecode, Q3_K) {
  // Scale bytes of zero mean -32 everywhere; hmask clear means q - 4.
  Block block(DType::q3_k);
  block.set_f16(108, kHalf);
  expect_values(block.values(), 64.0f, {});  // 0.5 * -32 * -4
  // Element 200 = 128 + 64 + 8: n = 1, j = 2, l = 8, sub-block 12. Its high bit is bit 6 of
  // hmask[8], its low bits are bits 4..5 of qs[40]. Sub-block 12: low nibble in the high half of
  // scales[4], bits 4..5 in bits 6..7 of scales[8].
  block.set(8, 0x40).set(32 + 40, 0x20).set(96 + 4, 0x50).set(96 + 8, 0x80);
  const auto values = block.values();  // scale 0x25 - 32 = 5
  for (std::size_t e = 0; e < 256; ++e) {
    float expected = 64.0f;
    if (e >= 192 && e < 208) expected = e == 200 ? 5.0f : -10.0f;  // 0.5*5*2, 0.5*5*-4
    // Bits 4..5 of qs[40] belong to element 200 alone.
    EXPECT_EQ(values[e], expected) << "element " << e;
  }
}

TEST(BlockDecode, Q4_K) {
  // Sub-block 1 (elements 32..63): scale 33, minimum 5, directly in s[1] and s[5].
  // Sub-block 6 (elements 192..223): scale 0x2b = low 11 in s[10], high 2 in s[2]; minimum 0x17 =
  // low 7 in s[10], high 1 in s[6].
  const auto values = Block(DType::q4_k)
                          .set_f16(0, kTwo)
                          .set_f16(2, kHalf)
                          .set(4 + 1, 33)
                          .set(4 + 5, 5)
                          .set(4 + 2, 2 << 6)
                          .set(4 + 6, 1 << 6)
                          .set(4 + 10, 0x7b)
                          .set(16 + 3, 0xa0)        // element 35 = 10
                          .set(16 + 96 + 31, 0x0c)  // element 223 = 12
                          .values();
  for (std::size_t e = 0; e < 256; ++e) {
    float expected = 0.0f;
    if (e >= 32 && e < 64) expected = e == 35 ? 657.5f : -2.5f;       // 66*10 - 0.5*5
    if (e >= 192 && e < 224) expected = e == 223 ? 1020.5f : -11.5f;  // 86*12 - 0.5*23
    EXPECT_EQ(values[e], expected) << "element " << e;
  }
}

TEST(BlockDecode, Q5_K) {
  const auto values = Block(DType::q5_k)
                          .set_f16(0, kTwo)
                          .set_f16(2, kHalf)
                          .set(4 + 1, 33)
                          .set(4 + 5, 5)
                          .set(4 + 2, 2 << 6)
                          .set(4 + 6, 1 << 6)
                          .set(4 + 10, 0x7b)
                          .set(16 + 3, 0x02)   // element 35: bit 1 of qh[3]
                          .set(16 + 31, 0x40)  // element 223: bit 6 of qh[31]
                          .set(48 + 3, 0xa0)
                          .set(48 + 96 + 31, 0x0c)
                          .values();
  for (std::size_t e = 0; e < 256; ++e) {
    float expected = 0.0f;
    if (e >= 32 && e < 64) expected = e == 35 ? 1713.5f : -2.5f;      // 66*26 - 2.5
    if (e >= 192 && e < 224) expected = e == 223 ? 2396.5f : -11.5f;  // 86*28 - 11.5
    EXPECT_EQ(values[e], expected) << "element " << e;
  }
}

TEST(BlockDecode, Q6_K) {
  // Element 229 = 128 + 96 + 5: n = 1, g = 3: high nibble of ql[64 + 32 + 5], bits 6..7 of
  // qh[32 + 5]; sub-block 14 with scale -3.
  const auto values = Block(DType::q6_k)
                          .set(64 + 32 + 5, 0xa0)
                          .set(128 + 32 + 5, 0xc0)
                          .fill(192, 16, 1)
                          .set(192 + 14, 0xfd)
                          .set_f16(208, kHalf)
                          .values();
  for (std::size_t e = 0; e < 256; ++e) {
    float expected = -16.0f;                                        // 0.5 * 1 * -32
    if (e >= 224 && e < 240) expected = e == 229 ? -39.0f : 48.0f;  // -1.5 * (10+48-32)
    EXPECT_EQ(values[e], expected) << "element " << e;
  }
}

TEST(BlockDecode, IQ4_NL) {
  const auto values = Block(DType::iq4_nl).set_f16(0, kHalf).set(2, 0x8f).set(17, 0x70).values();
  expect_values(values, -63.5f, {{0, 56.5f}, {16, 0.5f}, {31, -5.0f}});
}

TEST(BlockDecode, IQ4_XS) {
  // Sub-block 5 (elements 160..191): low nibble 9 in the high half of scales_l[2], high bits 2 in
  // bits 10..11 of scales_h: 41 - 32 = 9. All others: -32.
  const auto values = Block(DType::iq4_xs)
                          .set_f16(0, kTwo)
                          .set(3, 0x08)
                          .set(4 + 2, 0x90)
                          .set(8 + 80 + 4, 0x8f)
                          .values();
  for (std::size_t e = 0; e < 256; ++e) {
    float expected = 8128.0f;  // 2 * -32 * -127
    if (e >= 160 && e < 192) expected = e == 164 ? 2034.0f : e == 180 ? 18.0f : -2286.0f;
    EXPECT_EQ(values[e], expected) << "element " << e;
  }
}

TEST(BlockDecode, Mxfp4) {
  // e = 129 means 2^2; codes 0..7 are 0, 0.5, 1, 1.5, 2, 3, 4, 6.
  const auto values = Block(DType::mxfp4).set(0, 129).set(1, 0x71).set(16, 0xf3).values();
  expect_values(values, 0.0f, {{0, 2.0f}, {16, 24.0f}, {15, 6.0f}, {31, -24.0f}});
  // The smallest scales are subnormal halves of the scale: 2^-128 and 2^-127.
  EXPECT_EQ(Block(DType::mxfp4).set(0, 0).set(1, 0x01).values()[0], std::ldexp(1.0f, -128));
  EXPECT_EQ(Block(DType::mxfp4).set(0, 1).set(1, 0x01).values()[0], std::ldexp(1.0f, -127));
  EXPECT_EQ(Block(DType::mxfp4).set(0, 255).set(1, 0x01).values()[0], std::ldexp(1.0f, 127));
}

TEST(BlockDecode, RowsOfSeveralBlocksAtAnyAddress) {
  std::vector<std::byte> bytes(1 + 2 * 34);
  for (std::size_t b = 0; b < 2; ++b) {
    bytes[1 + 34 * b + 1] = std::byte{0x3c};                       // d = 1
    bytes[1 + 34 * b + 2] = static_cast<std::byte>(10 * (b + 1));  // first element
  }
  std::vector<float> values(64);
  decode_row(DType::q8_0, bytes.data() + 1, values.data(), 64);
  expect_values(values, 0.0f, {{0, 10.0f}, {32, 20.0f}});
}

float decode_one(DType dtype, std::uint64_t bits) {
  std::byte bytes[8];
  std::memcpy(bytes, &bits, sizeof bits);
  float value = -1;
  decode_row(dtype, bytes, &value, 1);
  return value;
}

TEST(PlainDecode, Floats) {
  EXPECT_EQ(decode_one(DType::f32, 0x3fc00000), 1.5f);
  EXPECT_EQ(decode_one(DType::f16, 0xbe00), -1.5f);
  EXPECT_EQ(decode_one(DType::bf16, 0x3fc0), 1.5f);
  EXPECT_EQ(decode_one(DType::f64, 0x3ff8000000000000), 1.5f);
}

TEST(PlainDecode, Float8E4M3) {
  // Every code against its definition: (1 + m/8) * 2^(e-7), m/8 * 2^-6 for e = 0, NaN at
  // S.1111.111.
  for (int code = 0; code < 256; ++code) {
    const int exponent = (code >> 3) & 15;
    const int mantissa = code & 7;
    const float value = decode_one(DType::f8_e4m3, static_cast<std::uint64_t>(code));
    if (exponent == 15 && mantissa == 7) {
      EXPECT_TRUE(std::isnan(value)) << code;
      continue;
    }
    const double magnitude =
        exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
    EXPECT_EQ(value, static_cast<float>(code < 128 ? magnitude : -magnitude)) << code;
    EXPECT_EQ(std::signbit(value), code >= 128) << code;
  }
  EXPECT_EQ(decode_one(DType::f8_e4m3, 0x7e), 448.0f);
}

TEST(PlainDecode, Float8E5M2) {
  EXPECT_EQ(decode_one(DType::f8_e5m2, 0x3e), 1.5f);
  EXPECT_EQ(decode_one(DType::f8_e5m2, 0x7b), 57344.0f);
  EXPECT_EQ(decode_one(DType::f8_e5m2, 0x01), std::ldexp(1.0f, -16));
  EXPECT_EQ(decode_one(DType::f8_e5m2, 0xfc), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(decode_one(DType::f8_e5m2, 0x7d)));
}

TEST(PlainDecode, IntegersAreNotDecodable) {
  EXPECT_FALSE(can_decode(DType::i32));
  EXPECT_FALSE(can_decode(DType::boolean));
  EXPECT_TRUE(can_decode(DType::mxfp4));
}

}  // namespace
}  // namespace llm::quant
