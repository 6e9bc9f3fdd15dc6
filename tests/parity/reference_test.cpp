// Logits and greedy tokens of tiny checkpoints equal those of Hugging Face transformers in float32,
// for every variation of the Llama family, from safetensors and from GGUF, with every instruction
// set that this machine runs.
#include <cmath>

#include "parity/model_under_test.h"

namespace llm::parity {
namespace {

// Largest difference, as a share of the largest reference logit.
double relative_difference(const std::vector<float>& found, const std::vector<float>& expected) {
  double difference = 0;
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double delta = std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
    if (!(delta <= difference)) difference = delta;  // a NaN sticks
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  return difference / largest;
}

void expect_reference(const std::string& path, const std::string& reference_name) {
  const Reference reference = read_reference(reference_name);
  ASSERT_FALSE(reference.tokens.empty());
  for (const kernels::Ops* ops : kernels::available_ops()) {
    SCOPED_TRACE(std::string(ops->name));
    const auto model =
        ModelUnderTest::load(path, {.dtype = "", .instruction_set = std::string(ops->name)});
    ASSERT_NE(model, nullptr);
    const std::vector<float> logits = model->logits(reference.tokens, 0);
    ASSERT_EQ(logits.size(), reference.logits.size());
    EXPECT_LE(relative_difference(logits, reference.logits), 1e-4);
    const std::vector<std::int32_t> prompt(reference.tokens.begin(), reference.tokens.begin() + 8);
    EXPECT_EQ(model->greedy(prompt, reference.greedy.size()), reference.greedy);
  }
}

class SafetensorsReference : public ::testing::TestWithParam<std::string> {};

TEST_P(SafetensorsReference, LogitsAndGreedyTokensEqualTransformers) {
  expect_reference(fixture_path(GetParam()), GetParam());
}

const std::string kCheckpoints[] = {
    "llama-mha",
    "llama-gqa",
    "llama-mqa",
    "llama-tied",
    "llama-bias",
    "llama-headdim",
    "llama-rope-linear",
    "llama-rope-dynamic",
    "llama-rope-llama3",
    "llama-rope-yarn",
    "llama-rope-yarn-mscale",
    "llama-rope-yarn-unextended",
    "llama-rope-parameters",
    "llama-defaults",
    "llama-sharded",
    "llama-f16",
    "llama-bf16",
    "mistral-window",
    "mistral-nowindow",
    "mistral-defaults",
    "qwen2",
    "qwen2-tied",
    "qwen2-window",
    "qwen2-yarn",
    "qwen3",
    "qwen3-tied",
    "phi2",
    "phi3",
    "phi3-longrope",
    "phi3-partial",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3-multimodal",
    "gemma3-multimodal-resaved",
    "falcon-7b",
    "falcon-11b",
    "falcon-40b",
    "falcon-sequential",
    "stablelm-1.6b",
    "stablelm-12b",
    "starcoder2",
    "starcoder2-untied",
    "mixtral",
    "qwen2-moe",
    "qwen2-moe-mlp-only",
    "qwen2-moe-sparse-step",
    "qwen3-moe",
    "deepseek-v2-lite",
    "deepseek-v2",
    "deepseek-v3",
    "deepseek-v3-fp8",
};

std::string test_name(const ::testing::TestParamInfo<std::string>& test) {
  std::string name = test.param;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, SafetensorsReference, ::testing::ValuesIn(kCheckpoints), test_name);

struct GgufCase {
  const char* file;
  const char* reference;
};

class GgufReference : public ::testing::TestWithParam<GgufCase> {};

TEST_P(GgufReference, LogitsAndGreedyTokensEqualTransformers) {
  expect_reference(fixture_path(GetParam().file), GetParam().reference);
}

const GgufCase kGgufFiles[] = {
    {"llama-gqa.gguf", "llama-gqa"},
    {"llama-gqa-split-00001-of-00002.gguf", "llama-gqa"},
    {"llama-bias.gguf", "llama-bias"},
    {"llama-rope-linear.gguf", "llama-rope-linear"},
    {"llama-rope-llama3.gguf", "llama-rope-llama3"},
    {"falcon-7b.gguf", "falcon-7b"},
    {"falcon-40b.gguf", "falcon-40b"},
    {"gemma.gguf", "gemma"},
    {"gemma2.gguf", "gemma2"},
    {"gemma3.gguf", "gemma3"},
    {"mixtral.gguf", "mixtral"},
    {"phi2.gguf", "phi2"},
    {"phi3.gguf", "phi3"},
    {"phi3-longrope.gguf", "phi3-longrope"},
    {"phi3-partial.gguf", "phi3-partial"},
    {"qwen2.gguf", "qwen2"},
    {"qwen2-tied.gguf", "qwen2-tied"},
    {"qwen2-yarn.gguf", "qwen2-yarn"},
    {"qwen2-moe.gguf", "qwen2-moe"},
    {"qwen3.gguf", "qwen3"},
    {"qwen3-moe.gguf", "qwen3-moe"},
    {"stablelm-1.6b.gguf", "stablelm-1.6b"},
    {"stablelm-12b.gguf", "stablelm-12b"},
    {"starcoder2-untied.gguf", "starcoder2-untied"},
    {"mixtral-per-expert.gguf", "mixtral"},
    {"phi2-fused.gguf", "phi2"},
    {"deepseek-v2.gguf", "deepseek-v2"},
    {"deepseek-v3.gguf", "deepseek-v3"},
    {"deepseek-v2-lite.gguf", "deepseek-v2-lite"},
    {"deepseek-v2-lite-legacy.gguf", "deepseek-v2-lite"},
    {"deepseek-v2-lite-three.gguf", "deepseek-v2-lite"},
};

INSTANTIATE_TEST_SUITE_P(All, GgufReference, ::testing::ValuesIn(kGgufFiles),
                         [](const ::testing::TestParamInfo<GgufCase>& test) {
                           return test_name({std::string(test.param.file), test.index});
                         });

}  // namespace
}  // namespace llm::parity
