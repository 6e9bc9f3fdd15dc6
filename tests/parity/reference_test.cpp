// Logits of all positions and greedy tokens of tiny checkpoints equal those of Hugging Face
// transformers in float32, from safetensors and from GGUF, with every instruction set that this
// machine runs.
#include "parity/model_under_test.h"

namespace llm::parity {
namespace {

class EqualsTransformers : public ::testing::TestWithParam<Fixture> {};

TEST_P(EqualsTransformers, LogitsAndGreedyTokens) {
  const Reference reference = read_reference(GetParam().reference);
  ASSERT_FALSE(reference.tokens.empty());
  ASSERT_EQ(reference.greedy.size(), 64U);
  const std::vector<std::int32_t> prompt(reference.tokens.begin(), reference.tokens.begin() + 8);
  for (const kernels::Ops* ops : kernels::available_ops()) {
    SCOPED_TRACE(std::string(ops->name));
    const auto model = ModelUnderTest::load(fixture_path(GetParam().name),
                                            {.instruction_set = std::string(ops->name)});
    ASSERT_NE(model, nullptr);
    const std::vector<float> logits = model->logits(reference.tokens);
    ASSERT_EQ(logits.size(), reference.logits.size());
    EXPECT_LE(difference(logits, reference.logits).largest, 1e-4);
    EXPECT_EQ(model->greedy(prompt, reference.greedy.size()), reference.greedy);
  }
}

INSTANTIATE_TEST_SUITE_P(Safetensors, EqualsTransformers, ::testing::ValuesIn(checkpoints()),
                         test_name);
INSTANTIATE_TEST_SUITE_P(Gguf, EqualsTransformers, ::testing::ValuesIn(gguf_files()), test_name);

}  // namespace
}  // namespace llm::parity
