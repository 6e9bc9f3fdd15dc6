// A request's result depends on the request alone, bit for bit: however its positions are sliced
// into steps, whoever shares the batch, wherever its pages lie, with any number of threads.
#include <cstring>

#include "parity/model_under_test.h"

namespace llm::parity {
namespace {

// Bitwise: -0.0 and 0.0 differ, equal NaNs are equal.
::testing::AssertionResult same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << a.size() << " != " << b.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
      return ::testing::AssertionFailure() << "value " << i << ": " << a[i] << " != " << b[i];
    }
  }
  return ::testing::AssertionSuccess();
}

struct Case {
  std::string fixture;
  std::string dtype;
};

class Invariants : public ::testing::TestWithParam<Case> {
 protected:
  // Runs `check` for every instruction set of this machine.
  template <class Check>
  void for_each_instruction_set(Check check) {
    for (const kernels::Ops* ops : kernels::available_ops()) {
      SCOPED_TRACE(std::string(ops->name));
      check(ModelOptions{.dtype = GetParam().dtype, .instruction_set = std::string(ops->name)});
      if (HasFatalFailure()) return;
    }
  }
  std::unique_ptr<ModelUnderTest> load(const ModelOptions& options) const {
    return ModelUnderTest::load(fixture_path(GetParam().fixture), options);
  }
  std::string reference_name() const {
    std::string name = GetParam().fixture;
    return name.substr(0, name.find(".gguf"));
  }
};

TEST_P(Invariants, SlicesOfAnyLengthGiveTheSameBits) {
  const Reference reference = read_reference(reference_name());
  for_each_instruction_set([&](const ModelOptions& options) {
    const auto model = load(options);
    ASSERT_NE(model, nullptr);
    const std::vector<float> whole = model->logits(reference.tokens, 0);
    for (const std::int64_t chunk : {1, 3, 7, 16, 33}) {
      EXPECT_TRUE(same_bits(model->logits(reference.tokens, chunk), whole)) << "chunk " << chunk;
    }
  });
}

TEST_P(Invariants, ThreadsAndPagesDoNotMatter) {
  const Reference reference = read_reference(reference_name());
  for_each_instruction_set([&](ModelOptions options) {
    const auto one = load(options);
    options.threads = 2;
    const auto two = load(options);
    options.threads = 3;
    const auto three = load(options);
    ASSERT_TRUE(one && two && three);
    const std::vector<float> alone = one->logits(reference.tokens, 0);
    EXPECT_TRUE(same_bits(two->logits(reference.tokens, 5), alone));
    EXPECT_TRUE(same_bits(three->logits(reference.tokens, 0), alone));
    EXPECT_TRUE(same_bits(one->logits(reference.tokens, 9, /*first_page=*/3), alone));
  });
}

TEST_P(Invariants, StrangersInTheBatchDoNotMatter) {
  const Reference reference = read_reference(reference_name());
  for_each_instruction_set([&](const ModelOptions& options) {
    const auto model = load(options);
    ASSERT_NE(model, nullptr);
    const std::vector<float> alone = model->logits(reference.tokens, 0);
    const auto vocab = static_cast<std::size_t>(model->vocab_size());
    // Sequence 0 is prefilled up to its last token; then that token shares a step with a slice of
    // another sequence's prompt and a third sequence's first token.
    const auto total = static_cast<std::int64_t>(reference.tokens.size());
    std::vector<std::int32_t> own(reference.tokens.begin(), reference.tokens.end() - 1);
    if (model->decoder().rope().epoch(total) != 0) GTEST_SKIP() << "computed anew at each length";
    (void)model->logits(own, 4);
    const std::int32_t mine[] = {0, 1, 2, 3};
    const std::int32_t other[] = {4, 5};
    const std::int32_t third[] = {6};
    const std::int32_t* tables[] = {mine, other, third};
    std::vector<models::BatchRow> rows;
    for (std::int64_t p = 0; p < 5; ++p)
      rows.push_back({static_cast<std::int32_t>(p + 3), p, 1, false, 5});
    rows.push_back({reference.tokens.back(), total - 1, 0, true, total});
    rows.push_back({7, 0, 2, true, 1});
    model->decoder().forward({rows, tables});
    const auto logits = model->decoder().logits(0, 2);
    EXPECT_TRUE(same_bits({logits.begin(), logits.begin() + static_cast<std::ptrdiff_t>(vocab)},
                          {alone.end() - static_cast<std::ptrdiff_t>(vocab), alone.end()}));
  });
}

INSTANTIATE_TEST_SUITE_P(
    All, Invariants,
    ::testing::Values(
        Case{"llama-gqa", "f32"}, Case{"llama-gqa", "f16"}, Case{"llama-gqa", "bf16"},
        Case{"llama-bias", "bf16"}, Case{"llama-headdim", "f16"}, Case{"llama-rope-dynamic", "f32"},
        Case{"llama-rope-yarn", "bf16"}, Case{"mistral-window", "f32"},
        Case{"mistral-window", "bf16"}, Case{"llama-gqa.gguf", ""}, Case{"qwen2-window", "f32"},
        Case{"qwen3", "bf16"}, Case{"phi2", "f16"}, Case{"phi3", "f32"},
        Case{"phi3-longrope", "f32"}, Case{"gemma2", "bf16"}, Case{"gemma3", "f32"},
        Case{"falcon-40b", "f32"}, Case{"falcon-sequential", "bf16"}, Case{"stablelm-12b", "f32"},
        Case{"starcoder2", "f16"}, Case{"mixtral", "f32"}, Case{"mixtral", "bf16"},
        Case{"qwen2-moe", "f32"}, Case{"qwen2-moe-sparse-step", "f16"}, Case{"qwen3-moe", "bf16"},
        Case{"deepseek-v2-lite", "bf16"}, Case{"deepseek-v3", "f32"}, Case{"deepseek-v3", "f16"}),
    [](const ::testing::TestParamInfo<Case>& test) {
      std::string name = test.param.fixture + "_" + test.param.dtype;
      for (char& c : name) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
      }
      return name;
    });

}  // namespace
}  // namespace llm::parity
