// A result depends on its request alone, bit for bit: tokens, texts, log-probabilities. Whoever
// else runs, whether its memory was taken away in between, and whether its prompt was known
// already.
#include <gtest/gtest.h>

#include "engine/engine_under_test.h"

namespace llm::engine {
namespace {

constexpr std::int64_t kPage = kernels::kKvPageTokens;

std::size_t bytes_of_pages(const std::string& model, std::int64_t pages) {
  EngineUnderTest engine(model, small_options());
  return engine->info().memory.kv_per_token * static_cast<std::size_t>(pages * kPage);
}

TEST(Exactness, AloneOrAmongThirtyTwoOthers) {
  LoadOptions options = small_options();
  options.max_sequences = 33;
  options.max_batch_rows = 64;
  options.max_token_gap_ms = 0;
  EngineUnderTest engine("demo", options);
  const GenerationRequest request = demanding_request(some_tokens(37), 60, 3);
  const auto alone = engine.run(request);
  ASSERT_EQ(alone->tokens.size(), 60u);
  std::vector<GenerationRequest> all;
  for (int other = 0; other < 32; ++other) {
    all.push_back(demanding_request(some_tokens(5 + 3 * other, other + 1), 20 + 5 * other,
                                    static_cast<std::uint64_t>(other)));
  }
  all.insert(all.begin() + 16, request);
  const auto results = engine.run_all(all);
  EXPECT_TRUE(same_result(*results[16], *alone));
}

// More threads than ever choose tokens at once, fewer than rows, and one.
TEST(Exactness, WithAnyNumberOfThreads) {
  std::vector<GenerationRequest> requests;
  for (int r = 0; r < 14; ++r) {
    requests.push_back(
        demanding_request(some_tokens(5 + 4 * r, r), 25, static_cast<std::uint64_t>(r)));
    if (r % 3 == 0) requests.back().prompt_logprobs = 2;
    if (r % 4 == 0) requests.back().sampling.top_k = 20;
  }
  std::vector<std::shared_ptr<Collector>> expected;
  for (const int threads : {1, 3, 12}) {
    LoadOptions options = small_options();
    options.threads = threads;
    options.max_sequences = 14;
    EngineUnderTest engine("demo", options);
    const auto results = engine.run_all(requests);
    if (expected.empty()) expected = results;
    for (std::size_t r = 0; r < requests.size(); ++r) {
      EXPECT_EQ(results[r]->tokens.size(), 25u);
      EXPECT_TRUE(same_result(*results[r], *expected[r])) << threads << " threads, request " << r;
    }
  }
}

TEST(Exactness, InterruptedAndComputedAgain) {
  LoadOptions options = small_options();
  options.context = 8 * kPage;
  options.kv_cache_bytes = bytes_of_pages("demo", 10);
  for (const bool prefix_cache : {true, false}) {
    options.prefix_cache = prefix_cache;
    EngineUnderTest engine("demo", options);
    std::vector<GenerationRequest> requests;
    for (int r = 0; r < 6; ++r) {
      requests.push_back(
          demanding_request(some_tokens(20 + 9 * r, r), 150, static_cast<std::uint64_t>(r)));
    }
    requests[2].prompt_logprobs = 2;
    const auto together = engine.run_all(requests);
    EXPECT_GT(engine.settled_stats().preemptions, 0u);
    std::int64_t interrupted = 0;
    for (std::size_t r = 0; r < requests.size(); ++r) {
      EXPECT_TRUE(same_result(*together[r], *engine.run(requests[r]))) << r;
      interrupted += together[r]->end.preemptions;
    }
    EXPECT_GT(interrupted, 0);
    EXPECT_EQ(engine.settled_stats().kv_pages_used, 0);
  }
}

TEST(Exactness, InterruptedWhileItsPromptIsProcessed) {
  LoadOptions options = small_options();
  options.context = 8 * kPage;
  options.kv_cache_bytes = bytes_of_pages("demo", 8);
  options.max_batch_rows = 4;
  StepGate gate;
  RunnerHooks hooks;
  hooks.before_forward = [&gate](const models::Batch&) -> Status {
    gate.pass();
    return {};
  };
  EngineUnderTest engine("demo", options, std::move(hooks));
  gate.close();  // until both are there
  // The first grows while the second, a long prompt with reported logprobs, is on its way: 187
  // tokens take more than 60 steps, and after half of them there is no page left.
  const GenerationRequest growing = demanding_request(some_tokens(30), 120, 1);
  GenerationRequest prompt = demanding_request(some_tokens(6 * kPage - 5, 2), 5, 2);
  prompt.prompt_logprobs = 3;
  const auto first = engine.submit(growing);
  const auto second = engine.submit(prompt);
  gate.open();
  first->wait();
  second->wait();
  EXPECT_GT(second->end.preemptions, 0);
  const auto alone = engine.run(prompt);
  EXPECT_EQ(second->prompt.size(), static_cast<std::size_t>(6 * kPage - 5));
  EXPECT_TRUE(same_result(*second, *alone));
  EXPECT_TRUE(same_result(*first, *engine.run(growing)));
}

// The models that keep their keys and values in different ways, or rotate them differently.
struct Case {
  std::string model;
  std::string dtype;
  std::string kv_dtype = {};
};

class CachedPrompts : public ::testing::TestWithParam<Case> {
 protected:
  static LoadOptions options(bool prefix_cache) {
    LoadOptions options = small_options();
    options.dtype = GetParam().dtype;
    options.kv_dtype = GetParam().kv_dtype;
    options.prefix_cache = prefix_cache;
    return options;
  }
};

TEST_P(CachedPrompts, GiveTheSameBits) {
  EngineUnderTest with(GetParam().model, options(true));
  EngineUnderTest without(GetParam().model, options(false));
  const std::int64_t context = with->info().capabilities.max_context_length;
  const std::int64_t length = std::min<std::int64_t>(75, context - 25);
  GenerationRequest request = demanding_request(some_tokens(length), 20, 5);
  const auto first = with.run(request);
  const auto again = with.run(request);
  const auto plain = without.run(request);
  EXPECT_EQ(first->end.cached_tokens, 0);
  EXPECT_EQ(plain->end.cached_tokens, 0);
  EXPECT_TRUE(same_result(*first, *plain));
  EXPECT_TRUE(same_result(*again, *plain));

  // The chat goes on: question, answer and the next question.
  std::vector<std::int32_t> longer = request.prompt_tokens;
  for (const std::int32_t id : first->ids()) longer.push_back(id);
  for (const std::int32_t id : some_tokens(10, 9)) longer.push_back(id);
  longer.resize(std::min(longer.size(), static_cast<std::size_t>(context - 4)));
  request.prompt_tokens = longer;
  const auto next = with.run(request);
  EXPECT_TRUE(same_result(*next, *without.run(request)));

  // Another text, of which only the first page is the same.
  if (request.prompt_tokens.size() < 50) return;
  request.prompt_tokens[40] = request.prompt_tokens[40] == 5 ? 6 : 5;
  EXPECT_TRUE(same_result(*with.run(request), *without.run(request)));
}

INSTANTIATE_TEST_SUITE_P(
    All, CachedPrompts,
    ::testing::Values(Case{"demo", "f32"}, Case{"demo", "bf16"}, Case{"llama-gqa.gguf", ""},
                      Case{"mistral-window", "f16"}, Case{"llama-rope-dynamic", "f32"},
                      Case{"llama-rope-yarn", "f32"}, Case{"phi3-longrope", "f32"},
                      Case{"gemma3", "f32"}, Case{"qwen3-moe", "bf16"}, Case{"deepseek-v3", "f32"},
                      Case{"demo", "f32", "q8_0"}, Case{"deepseek-v3", "f32", "q8_0"},
                      Case{"phi3-longrope", "f32", "q8_0"}),
    [](const ::testing::TestParamInfo<Case>& test) {
      std::string name = test.param.model + "_" + test.param.dtype;
      if (!test.param.kv_dtype.empty()) name += "_kv_" + test.param.kv_dtype;
      for (char& c : name) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
      }
      return name;
    });

TEST(Exactness, HitsAreReported) {
  EngineUnderTest engine("demo", small_options());
  const GenerationRequest request = demanding_request(some_tokens(100), 30, 5);
  const auto first = engine.run(request);
  const auto again = engine.run(request);
  EXPECT_EQ(again->start.cached_tokens, 96);
  EXPECT_EQ(again->end.cached_tokens, 96);
  EXPECT_TRUE(same_result(*first, *again));
  const EngineStats stats = engine.settled_stats();
  EXPECT_EQ(stats.cached_tokens, 96u);
  EXPECT_EQ(stats.prompt_tokens, 200u);
  EXPECT_EQ(stats.computed_tokens, 200u - 96 + 2 * 29);
  EXPECT_EQ(stats.kv_pages_cached, 4) << "three of the prompt, one with generated tokens";
}

// The same text to several answers: the prompt is computed once, each has its own random numbers.
TEST(Exactness, SeveralAnswersToOnePromptShareIt) {
  LoadOptions options = small_options();
  options.max_batch_rows = 64;
  EngineUnderTest engine("demo", options);
  std::vector<GenerationRequest> requests;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    requests.push_back(demanding_request(some_tokens(200), 20, seed));
  }
  const auto answers = engine.run_all(requests);
  const EngineStats stats = engine.settled_stats();
  EXPECT_EQ(stats.computed_tokens, 200u + 3 * 8 + 4 * 19) << "8 tokens do not fill a page";
  EXPECT_NE(answers[0]->ids(), answers[1]->ids());
  for (std::size_t r = 0; r < requests.size(); ++r) {
    EXPECT_TRUE(same_result(*answers[r], *engine.run(requests[r])));
  }
}

// LongRoPE past its original length rotates every key anew: pages of a short sequence must not
// serve a long one, nor the other way round.
TEST(Exactness, RotationsThatChangeWithTheLength) {
  for (const char* model : {"phi3-longrope", "llama-rope-dynamic"}) {
    EngineUnderTest with(model, small_options());
    LoadOptions options = small_options();
    options.prefix_cache = false;
    EngineUnderTest without(model, options);
    const std::int64_t context = with->info().capabilities.max_context_length;
    const auto tokens = some_tokens(context - 2);
    // Shorter, longer, and shorter again, all with the same beginning; the middle one grows across
    // whatever border there is.
    for (const std::int64_t length : {context / 2, context / 3, context - 2, context / 2}) {
      const GenerationRequest request =
          demanding_request({tokens.begin(), tokens.begin() + length}, context - length, 4);
      EXPECT_TRUE(same_result(*with.run(request), *without.run(request))) << model << length;
    }
  }
}

}  // namespace
}  // namespace llm::engine
