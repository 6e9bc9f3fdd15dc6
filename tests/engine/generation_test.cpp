// Requests through the whole engine, on the demo model: what a user sets takes effect, a result
// depends on its request alone, and generations end where they should.
#include <gtest/gtest.h>

#include <thread>

#include "engine/collector.h"

namespace llm {
namespace {

class Generation : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    LoadOptions options;
    options.threads = 2;
    options.max_sequences = 4;
    options.max_batch_rows = 16;  // small, so that prompts take several slices
    auto engine = load_model(std::string(LLM_SOURCE_DIR) + "/models/demo", options);
    ASSERT_TRUE(engine) << engine.error().message();
    engine_ = std::move(*engine).release();
  }
  static void TearDownTestSuite() {
    delete engine_;
    engine_ = nullptr;
  }

  static GenerationRequest story(std::int64_t max_tokens) {
    GenerationRequest request;
    request.prompt = "Once upon a time";
    request.max_tokens = max_tokens;
    request.sampling.temperature = 0;
    return request;
  }
  static std::shared_ptr<Collector> submit(const GenerationRequest& request) {
    auto collector = std::make_shared<Collector>();
    const auto id = engine_->submit(request, collector);
    EXPECT_TRUE(id) << id.error().message();
    return collector;
  }
  static std::shared_ptr<Collector> run(const GenerationRequest& request) {
    auto collector = submit(request);
    collector->wait();
    return collector;
  }
  static Status refusal(const GenerationRequest& request) {
    return engine_->submit(request, std::make_shared<Collector>()).status();
  }

  static Engine* engine_;
};

Engine* Generation::engine_ = nullptr;

TEST_F(Generation, MaxTokensEndsAndIsCounted) {
  const auto result = run(story(12));
  EXPECT_EQ(result->end.reason, StopReason::max_tokens);
  EXPECT_EQ(result->tokens.size(), 12u);
  EXPECT_EQ(result->end.tokens_out, 12);
  EXPECT_GT(result->end.prompt_tokens, 2);
  EXPECT_EQ(result->start.max_tokens, 12);
}

TEST_F(Generation, AnEndTokenEndsAndIsNotShown) {
  GenerationRequest request;
  request.prompt =
      "<|start_header_id|>user<|end_header_id|>\n\nHello!<|eot_id|>"
      "<|start_header_id|>assistant<|end_header_id|>\n\n";
  request.max_tokens = 200;
  request.sampling.temperature = 0;
  const auto result = run(request);
  EXPECT_EQ(result->end.reason, StopReason::eos);
  EXPECT_FALSE(result->text().empty());
  EXPECT_EQ(result->text().find("<|"), std::string::npos) << result->text();
  for (const std::int32_t id : result->ids()) {
    EXPECT_FALSE(engine_->info().capabilities.eos_tokens.is_eos(id));
  }
}

// Both of the model's end tokens stop a generation: each is made certain by a bias.
TEST_F(Generation, EachEndTokenStops) {
  const EosTokens& eos = engine_->info().capabilities.eos_tokens;
  ASSERT_GE(eos.ids().size(), 2u);
  for (const std::int32_t id : eos.ids()) {
    GenerationRequest request = story(5);
    request.sampling.logit_bias = {{id, 100.0F}};
    const auto result = run(request);
    EXPECT_EQ(result->end.reason, StopReason::eos) << id;
    EXPECT_TRUE(result->tokens.empty()) << id;
  }
}

TEST_F(Generation, SameSeedSameTextOtherSeedOtherText) {
  GenerationRequest request = story(40);
  request.sampling.temperature = 1;
  request.sampling.seed = 7;
  const auto first = run(request);
  const auto again = run(request);
  EXPECT_EQ(first->ids(), again->ids());
  EXPECT_EQ(first->start.sampling.seed, 7u);
  request.sampling.seed = 8;
  EXPECT_NE(run(request)->ids(), first->ids());
  request.sampling.seed.reset();
  EXPECT_TRUE(run(request)->start.sampling.seed.has_value());
}

TEST_F(Generation, TheRepetitionPenaltyTakesEffect) {
  GenerationRequest request = story(60);
  request.prompt = "The cat sat on the mat. The cat";
  const auto plain = run(request);
  request.sampling.repetition_penalty = 2.0F;
  request.sampling.repeat_last_n = 0;
  const auto penalised = run(request);
  EXPECT_NE(plain->ids(), penalised->ids());
  request.sampling.repetition_penalty = 1.0F;
  EXPECT_EQ(run(request)->ids(), plain->ids());
}

TEST_F(Generation, StopStringsEndTheTextBeforeThem) {
  const std::string text = run(story(60))->text();
  ASSERT_GT(text.size(), 40u);
  const std::string stop = text.substr(20, 6);
  GenerationRequest request = story(60);
  request.stop = {stop};
  const auto result = run(request);
  EXPECT_EQ(result->end.reason, StopReason::stop_sequence);
  EXPECT_EQ(result->end.stop_sequence, stop);
  EXPECT_EQ(result->text(), text.substr(0, text.find(stop)));
}

TEST_F(Generation, CancelEndsARunningRequestSoon) {
  GenerationRequest request = story(400);
  for (const std::int32_t id : engine_->info().capabilities.eos_tokens.ids()) {
    request.sampling.logit_bias.emplace_back(id, -100.0F);
  }
  auto collector = std::make_shared<Collector>();
  const auto id = engine_->submit(request, collector);
  ASSERT_TRUE(id);
  collector->wait_for_tokens(3);
  engine_->cancel(*id);
  collector->wait();
  EXPECT_EQ(collector->end.reason, StopReason::cancelled);
  EXPECT_LT(collector->tokens.size(), 400u);
  EXPECT_EQ(collector->ends, 1);
  engine_->cancel(*id);  // ended already: nothing happens
  EXPECT_EQ(run(story(4))->end.reason, StopReason::max_tokens);
  // Statistics are those of the last finished step: wait for it, but not forever.
  for (int i = 0; i < 5000 && engine_->stats().kv_pages_used != 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(engine_->stats().kv_pages_used, 0);
}

TEST_F(Generation, MaxTokensIsClippedToTheContext) {
  GenerationRequest request = story(1);
  request.max_tokens.reset();
  const auto result = run(request);
  const std::int64_t context = engine_->info().capabilities.max_context_length;
  EXPECT_EQ(result->start.max_tokens, context - result->start.prompt_tokens);
}

TEST_F(Generation, PromptsThatDoNotFitAreRefused) {
  GenerationRequest request = story(1);
  const auto context = static_cast<std::size_t>(engine_->info().capabilities.max_context_length);
  request.prompt_tokens.assign(context, 5);
  const Status status = refusal(request);
  EXPECT_EQ(status.code(), StatusCode::invalid_argument);
  EXPECT_NE(status.message().find(std::to_string(context)), std::string::npos) << status.message();
  request.prompt_tokens.assign(context - 1, 5);
  EXPECT_EQ(run(request)->tokens.size(), 1u);
}

TEST_F(Generation, BadRequestsAreRefused) {
  GenerationRequest request = story(1);
  request.prompt_tokens = {1, -1};
  EXPECT_EQ(refusal(request).code(), StatusCode::invalid_argument);
  request.prompt_tokens = {1 << 20};
  EXPECT_EQ(refusal(request).code(), StatusCode::invalid_argument);
  request = story(0);
  EXPECT_EQ(refusal(request).code(), StatusCode::invalid_argument);
  request = story(1);
  request.stop = {""};
  EXPECT_EQ(refusal(request).code(), StatusCode::invalid_argument);
  request = story(1);
  request.logprobs = 21;
  EXPECT_EQ(refusal(request).code(), StatusCode::invalid_argument);
  request = story(1);
  request.sampling.temperature = 2.5F;
  EXPECT_EQ(refusal(request).message(), "temperature must be at most 2.0 (got 2.5)");
}

TEST_F(Generation, LogitsAreTheSameBitsHoweverTheyAreComputed) {
  const std::vector<std::int32_t> tokens = {3,  14, 15, 92, 65, 35, 89, 79, 32, 38, 46, 26, 43, 38,
                                            32, 79, 50, 28, 84, 19, 71, 69, 39, 93, 75, 10, 58, 20,
                                            97, 49, 44, 59, 23, 7,  81, 64, 6,  28, 62, 8};
  const auto whole = engine_->logits(tokens, 0, true);
  const auto steps = engine_->logits(tokens, 1, true);
  const auto slices = engine_->logits(tokens, 3, true);
  const auto last = engine_->logits(tokens, 0, false);
  ASSERT_TRUE(whole && steps && slices && last);
  EXPECT_TRUE(*whole == *steps);
  EXPECT_TRUE(*whole == *slices);
  ASSERT_GT(whole->size(), last->size());
  EXPECT_TRUE(std::equal(last->begin(), last->end(),
                         whole->end() - static_cast<std::ptrdiff_t>(last->size())));
}

}  // namespace
}  // namespace llm
