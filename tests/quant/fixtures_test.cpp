// Blocks of random codes with edge-case scales, and the float32 values that the reference
// dequantiser gives for them (tools/fixtures/make_quants.py): equal to the bit.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "formats/model_file.h"
#include "quant/quant.h"

namespace llm::quant {
namespace {

class QuantFixture : public testing::TestWithParam<DType> {};

TEST_P(QuantFixture, DecodesToTheReferenceValues) {
  const DType dtype = GetParam();
  const std::string path =
      LLM_SOURCE_DIR "/tests/fixtures/quants/" + std::string(to_string(dtype)) + ".safetensors";
  const auto file = formats::ModelFile::open_tensors(path);
  ASSERT_TRUE(file) << file.error().message();
  const formats::TensorEntry* blocks = file->find("blocks");
  const formats::TensorEntry* expected = file->find("values");
  ASSERT_NE(blocks, nullptr);
  ASSERT_NE(expected, nullptr);
  ASSERT_EQ(expected->view.dtype, DType::f32);
  const std::size_t elements = expected->view.bytes / 4;
  ASSERT_GT(elements, 0u);
  ASSERT_EQ(row_bytes(dtype, elements), blocks->view.bytes);

  std::vector<float> values(elements);
  decode_row(dtype, blocks->view.data, values.data(), static_cast<std::int64_t>(elements));
  std::size_t different = 0;
  for (std::size_t e = 0; e < elements; ++e) {
    float reference = 0;
    std::memcpy(&reference, expected->view.data + 4 * e, 4);
    if (std::bit_cast<std::uint32_t>(values[e]) == std::bit_cast<std::uint32_t>(reference)) continue;
    if (++different <= 3) {
      ADD_FAILURE() << "element " << e << ": expected " << reference << ", found " << values[e];
    }
  }
  EXPECT_EQ(different, 0u);
}

INSTANTIATE_TEST_SUITE_P(AllFormats, QuantFixture,
                         testing::Values(DType::f16, DType::bf16, DType::q4_0, DType::q4_1,
                                         DType::q5_0, DType::q5_1, DType::q8_0, DType::q2_k,
                                         DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k,
                                         DType::iq4_nl, DType::iq4_xs, DType::mxfp4),
                         [](const auto& format) { return std::string(to_string(format.param)); });

}  // namespace
}  // namespace llm::quant
