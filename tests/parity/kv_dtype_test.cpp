// The type of the KV cache is chosen apart from that of the weights: rounding keys and values alone
// moves the logits by as much as the type's precision explains, and the memory is the type's.
#include <cmath>

#include "parity/model_under_test.h"

namespace llm::parity {
namespace {

// Root mean square error of the logits as a share of theirs, as in the test of weights' types: the
// roundings of independent values add up like a random walk, here two in each layer (of keys, of
// values), and softmax and gates may treble them.
double tolerance(const std::string& kv_dtype, std::int64_t layers) {
  // Of q8_0: half a step is 1/254 of the largest of a group, which is two to three times the mean
  // square; more where a latent shares its group with rotated components that no norm has scaled.
  const double half_unit = kv_dtype == "f16" ? 0x1p-11 : kv_dtype == "bf16" ? 0x1p-8 : 3.0 / 254;
  return 3 * std::sqrt(2.0 * static_cast<double>(layers) / 3) * half_unit;
}

class NearExactCache : public ::testing::TestWithParam<Fixture> {};

TEST_P(NearExactCache, Logits) {
  const Fixture& fixture = GetParam();
  const Reference reference = read_reference(fixture.reference);
  for (const kernels::Ops* ops : kernels::available_ops()) {
    SCOPED_TRACE(std::string(ops->name));
    const auto model = ModelUnderTest::load(fixture_path(fixture.name),
                                            {.dtype = fixture.dtype,
                                             .kv_dtype = fixture.kv_dtype,
                                             .instruction_set = std::string(ops->name)});
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(to_string(model->model().types.kv), fixture.kv_dtype);
    EXPECT_EQ(model->model().types.reported, DType::f32);
    const auto [largest, rms] = difference(model->logits(reference.tokens), reference.logits);
    const double bound = tolerance(fixture.kv_dtype, model->model().config.n_layers);
    EXPECT_LE(rms, bound);
    EXPECT_LE(largest, 4 * bound);  // single rows, whose softmax is steep
    EXPECT_GT(rms, bound / 1000) << "the type has no effect";
  }
}

INSTANTIATE_TEST_SUITE_P(F16, NearExactCache, ::testing::ValuesIn(checkpoints("f32", "f16")),
                         test_name);
INSTANTIATE_TEST_SUITE_P(Bf16, NearExactCache, ::testing::ValuesIn(checkpoints("f32", "bf16")),
                         test_name);
INSTANTIATE_TEST_SUITE_P(Q8, NearExactCache, ::testing::ValuesIn(checkpoints("f32", "q8_0")),
                         test_name);

std::unique_ptr<ModelUnderTest> load(const std::string& fixture, const std::string& dtype,
                                     const std::string& kv_dtype) {
  return ModelUnderTest::load(
      fixture_path(fixture),
      {.dtype = dtype, .kv_dtype = kv_dtype, .instruction_set = {}, .threads = 1});
}

TEST(KvDtypeChoice, FollowsTheWeightsUnlessNamed) {
  for (const auto& [fixture, dtype, expected] :
       {std::tuple{"llama-gqa", "", DType::f32}, std::tuple{"llama-gqa", "bf16", DType::bf16},
        std::tuple{"llama-gqa", "f16", DType::f16}, std::tuple{"llama-bf16", "auto", DType::bf16},
        std::tuple{"llama-gqa.gguf", "", DType::f32}}) {
    const auto automatic = load(fixture, dtype, "auto");
    const auto unnamed = load(fixture, dtype, "");
    const auto named = load(fixture, dtype, "q8_0");
    ASSERT_TRUE(automatic && unnamed && named);
    EXPECT_EQ(automatic->model().types.kv, expected) << fixture;
    EXPECT_EQ(unnamed->model().types.kv, expected) << fixture;
    EXPECT_FALSE(unnamed->model().types.kv_named);
    EXPECT_EQ(named->model().types.kv, DType::q8_0) << fixture;
    EXPECT_TRUE(named->model().types.kv_named);
    EXPECT_EQ(named->model().types.reported, unnamed->model().types.reported)
        << "the weights stay what they are";
  }
}

TEST(KvDtypeChoice, NamingTheTypeOfTheWeightsChangesNothing) {
  const Reference reference = read_reference("llama-gqa");
  for (const char* dtype : {"f32", "f16", "bf16"}) {
    const auto automatic = load("llama-gqa", dtype, "");
    const auto named = load("llama-gqa", dtype, dtype);
    ASSERT_TRUE(automatic && named);
    EXPECT_EQ(automatic->logits(reference.tokens), named->logits(reference.tokens)) << dtype;
  }
}

TEST(KvDtypeChoice, DecidesTheMemory) {
  const std::string fixture = "llama-rope-llama3";  // heads of 32 components: one group
  const auto full = load(fixture, "f32", "f32");
  const auto half = load(fixture, "f32", "bf16");
  const auto eighth = load(fixture, "f32", "q8_0");
  ASSERT_TRUE(full && half && eighth);
  ASSERT_EQ(full->model().config.head_dim, 32);
  const std::size_t bytes = full->model().memory.kv_per_token;
  EXPECT_EQ(half->model().memory.kv_per_token, bytes / 2);
  EXPECT_EQ(eighth->model().memory.kv_per_token, bytes / (32 * 4) * (32 + 4));
  EXPECT_EQ(eighth->model().memory.weights, full->model().memory.weights);
}

TEST(KvDtypeChoice, UnknownNamesAreRefusedWithTheChoices) {
  for (const char* name : {"f64", "fp16", "F16", "q4_0", "int8", "i8"}) {
    models::ModelTypes types;
    const Status refused = models::set_kv_dtype(types, name);
    EXPECT_EQ(refused.code(), StatusCode::invalid_argument);
    EXPECT_EQ(refused.message(),
              std::string("kv_dtype ") + name + ": expected auto, f32, f16, bf16 or q8_0");
  }
}

}  // namespace
}  // namespace llm::parity
