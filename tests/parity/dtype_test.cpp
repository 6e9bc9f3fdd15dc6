// The precision chosen at load is real: memory halves, results stay close, names are validated.
#include <cmath>

#include "core/aligned_buffer.h"
#include "parity/model_under_test.h"

namespace llm::parity {
namespace {

// Error of a whole forward pass, root mean square over all logits as a share of theirs. Each value
// that is stored in the type is off by at most half a unit in its last place, by 1 / sqrt(3) of
// that in the mean. On the way to a logit lie the embedding, in each layer six products (of q, k,
// v; of scores; of probabilities and values; of the output; of gate and up; of down) and the output
// head, each of two rounded factors; independent errors add up like a random walk, and softmax and
// gates may treble them.
double tolerance(const std::string& dtype, std::int64_t layers) {
  const double half_unit = dtype == "f16" ? 0x1p-11 : 0x1p-8;
  const double roundings = 2.0 * (6.0 * static_cast<double>(layers) + 2.0);
  return 3 * std::sqrt(roundings / 3) * half_unit;
}

class Memory : public ::testing::TestWithParam<std::string> {};

TEST_P(Memory, OfMatricesAndCacheHalves) {
  const std::string path = fixture_path("llama-gqa");
  const auto full = ModelUnderTest::load(path, {.dtype = "f32", .instruction_set = "ref"});
  const auto half = ModelUnderTest::load(path, {.dtype = GetParam(), .instruction_set = "ref"});
  ASSERT_TRUE(full && half);
  // Norm weights stay f32: five vectors of hidden_size (two per layer, one at the end).
  const auto norms = static_cast<std::size_t>(5 * full->model().config.hidden_size) * sizeof(float);
  const std::size_t full_matrices = full->model().memory.weights - norms;
  const std::size_t twice_half = 2 * (half->model().memory.weights - norms);
  // Each of them (seven per layer, and the head) takes whole pages.
  constexpr std::size_t kMatrices = 7 * 2 + 1;
  EXPECT_GE(twice_half, full_matrices);
  EXPECT_LE(twice_half, full_matrices + kMatrices * core::AlignedBuffer::footprint(1));
  EXPECT_EQ(2 * half->model().memory.kv_per_token, full->model().memory.kv_per_token);
  EXPECT_EQ(to_string(half->model().types.reported), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Types, Memory, ::testing::Values("f16", "bf16"),
                         [](const ::testing::TestParamInfo<std::string>& test) {
                           return test.param;
                         });

class NearTransformers : public ::testing::TestWithParam<Fixture> {};

TEST_P(NearTransformers, Logits) {
  const auto& [name, reference_name, dtype, kv_dtype] = GetParam();
  const Reference reference = read_reference(reference_name);
  for (const kernels::Ops* ops : kernels::available_ops()) {
    SCOPED_TRACE(std::string(ops->name));
    const auto model =
        ModelUnderTest::load(fixture_path(name), {dtype, kv_dtype, std::string(ops->name), 1});
    ASSERT_NE(model, nullptr);
    const auto [largest, rms] = difference(model->logits(reference.tokens), reference.logits);
    const double bound = tolerance(dtype, model->model().config.n_layers);
    EXPECT_LE(rms, bound);
    EXPECT_LE(largest, 3 * bound);  // of some ten thousand logits, a few lie that far out
    EXPECT_GT(rms, bound / 100) << "the type has no effect";
  }
}

INSTANTIATE_TEST_SUITE_P(F16, NearTransformers, ::testing::ValuesIn(checkpoints("f16")), test_name);
INSTANTIATE_TEST_SUITE_P(Bf16, NearTransformers, ::testing::ValuesIn(checkpoints("bf16")),
                         test_name);

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
