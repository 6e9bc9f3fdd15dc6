// The precision chosen at load is real: memory halves, results stay close, names are validated.
#include <cmath>

#include "parity/model_under_test.h"

namespace llm::parity {
namespace {

// Error of a whole forward pass in units of the largest logit: each of the few dozen roundings on
// the way to a logit costs at most half a unit in the last place of the type; they add up like a
// random walk, and the bound leaves room for a factor of about eight over that.
double tolerance(const std::string& dtype) {
  const double epsilon = dtype == "f16" ? 0x1p-11 : 0x1p-8;
  return 8 * std::sqrt(16.0) * epsilon;
}

class Precision : public ::testing::TestWithParam<std::string> {};

TEST_P(Precision, HalvesTheMemoryOfMatricesAndCache) {
  const std::string path = fixture_path("llama-gqa");
  const auto full = ModelUnderTest::load(path, {.dtype = "f32", .instruction_set = "ref"});
  const auto half = ModelUnderTest::load(path, {.dtype = GetParam(), .instruction_set = "ref"});
  ASSERT_TRUE(full && half);
  // Norm weights stay f32: five vectors of hidden_size (two per layer, one at the end).
  const auto norms = static_cast<std::size_t>(5 * full->model().config.hidden_size) * sizeof(float);
  EXPECT_EQ(2 * (half->model().memory.weights - norms), full->model().memory.weights - norms);
  EXPECT_EQ(2 * half->model().memory.kv_per_token, full->model().memory.kv_per_token);
  EXPECT_EQ(to_string(half->model().types.reported), GetParam());
}

TEST_P(Precision, LogitsStayNearTheReference) {
  for (const char* fixture : {"llama-gqa", "llama-rope-llama3", "mistral-window", "qwen2", "qwen3",
                              "phi2", "phi3", "gemma", "gemma2", "gemma3", "falcon-7b",
                              "falcon-40b", "stablelm-1.6b", "stablelm-12b", "starcoder2"}) {
    const Reference reference = read_reference(fixture);
    for (const kernels::Ops* ops : kernels::available_ops()) {
      SCOPED_TRACE(std::string(ops->name) + " " + fixture);
      const auto model =
          ModelUnderTest::load(fixture_path(fixture), {GetParam(), std::string(ops->name), 1});
      ASSERT_NE(model, nullptr);
      const std::vector<float> logits = model->logits(reference.tokens, 0);
      float largest = 0;
      float difference = 0;
      for (std::size_t i = 0; i < logits.size(); ++i) {
        largest = std::max(largest, std::abs(reference.logits[i]));
        difference = std::max(difference, std::abs(logits[i] - reference.logits[i]));
      }
      EXPECT_LE(difference, tolerance(GetParam()) * static_cast<double>(largest));
      EXPECT_GT(difference, 0) << "the type has no effect";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Precision, ::testing::Values("f16", "bf16"),
                         [](const ::testing::TestParamInfo<std::string>& test) {
                           return test.param;
                         });

TEST(DtypeChoice, AutoKeepsTheStoredType) {
  for (const auto& [fixture, dtype] : {std::pair{"llama-bf16", DType::bf16},
                                       {"llama-f16", DType::f16},
                                       {"llama-gqa", DType::f32}}) {
    const auto model =
        ModelUnderTest::load(fixture_path(fixture), {.dtype = "auto", .instruction_set = ""});
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->model().types.reported, dtype) << fixture;
  }
}

TEST(DtypeChoice, DefaultIsF32WhateverIsStored) {
  const auto model = ModelUnderTest::load(fixture_path("llama-bf16"), {});
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->model().types.reported, DType::f32);
}

TEST(DtypeChoice, UnknownNamesAreRefused) {
  auto file = formats::ModelFile::open(fixture_path("llama-gqa"));
  ASSERT_TRUE(file);
  for (const char* name : {"f64", "fp16", "F32", "q8_0", "int8"}) {
    const auto types = models::resolve_types(*file, name);
    ASSERT_FALSE(types) << name;
    EXPECT_EQ(types.error().message(), std::string("Unsupported dtype: ") + name);
  }
}

TEST(DtypeChoice, GgufKeepsItsOwnTypeAndSupportsNoOther) {
  auto file = formats::ModelFile::open(fixture_path("llama-gqa.gguf"));
  ASSERT_TRUE(file);
  const auto types = models::resolve_types(*file, "bf16");
  ASSERT_TRUE(types);
  EXPECT_EQ(types->reported, DType::f32);
  EXPECT_EQ(types->supported, std::vector<DType>{DType::f32});
}

}  // namespace
}  // namespace llm::parity
