// Options of a request that change what is reported or when it ends.
#include <gtest/gtest.h>

#include "engine/engine_under_test.h"
#include "sampling/logprobs.h"

namespace llm::engine {
namespace {

class RequestOptions : public ::testing::Test {
 protected:
  RequestOptions() : engine_("demo", small_options()) {}

  GenerationRequest story(std::int64_t max_tokens) const {
    GenerationRequest request;
    request.prompt = "Once upon a time";
    request.max_tokens = max_tokens;
    request.sampling.temperature = 0;
    return request;
  }
  const EosTokens& eos() { return engine_->info().capabilities.eos_tokens; }

  EngineUnderTest engine_;
};

TEST_F(RequestOptions, PromptLogprobsAreThoseOfTheLogits) {
  GenerationRequest request = request_of(some_tokens(45), 3);
  request.prompt_logprobs = 4;
  const auto result = engine_.run(request);
  const auto logits = engine_->logits(request.prompt_tokens, 0, true);
  ASSERT_TRUE(logits);
  const auto vocab = static_cast<std::size_t>(engine_->info().capabilities.vocab_size);
  ASSERT_EQ(result->prompt.size(), 45u);
  EXPECT_FALSE(result->prompt[0].logprob.has_value());
  EXPECT_TRUE(result->prompt[0].alternatives.empty());
  for (std::size_t t = 0; t < result->prompt.size(); ++t) {
    EXPECT_EQ(result->prompt[t].index, static_cast<std::int64_t>(t));
    EXPECT_EQ(result->prompt[t].id, request.prompt_tokens[t]);
    if (t == 0) continue;
    const auto expected = sampling::token_logprobs(
        std::span(*logits).subspan((t - 1) * vocab, vocab), request.prompt_tokens[t], 4);
    ASSERT_TRUE(expected && result->prompt[t].logprob);
    EXPECT_EQ(result->prompt[t].logprob->logprob, expected->chosen.logprob) << t;
    ASSERT_EQ(result->prompt[t].alternatives.size(), 4u);
    for (std::size_t n = 0; n < 4; ++n) {
      EXPECT_EQ(result->prompt[t].alternatives[n].id, expected->alternatives[n].id);
      EXPECT_EQ(result->prompt[t].alternatives[n].logprob, expected->alternatives[n].logprob);
    }
  }
}

TEST_F(RequestOptions, PromptTextsTogetherAreThePrompt) {
  GenerationRequest request = story(1);
  request.prompt = "The naïve cat 🐱 said: 日本語!";
  request.add_special = false;
  request.prompt_logprobs = 0;
  const auto result = engine_.run(request);
  EXPECT_EQ(Collector::text_of(result->prompt), request.prompt);
  EXPECT_TRUE(result->prompt.back().logprob.has_value());
  EXPECT_TRUE(result->prompt.back().alternatives.empty());
}

TEST_F(RequestOptions, PromptLogprobsOfOneTokenAndOfACachedPrompt) {
  GenerationRequest request = request_of({5}, 2);
  request.prompt_logprobs = 1;
  EXPECT_EQ(engine_.run(request)->prompt.size(), 1u);

  request.prompt_tokens = some_tokens(100, 3);
  const auto first = engine_.run(request);
  const auto again = engine_.run(request);
  EXPECT_EQ(again->end.cached_tokens, 0) << "all logits are needed";
  EXPECT_TRUE(same_result(*first, *again));
  // It leaves its pages to others all the same, and its tokens are those of a request without.
  request.prompt_logprobs.reset();
  const auto plain = engine_.run(request);
  EXPECT_EQ(plain->end.cached_tokens, 96);
  EXPECT_TRUE(same_tokens(plain->tokens, first->tokens));
}

TEST_F(RequestOptions, WithoutPromptLogprobsThePromptIsNotReported) {
  EXPECT_TRUE(engine_.run(story(2))->prompt.empty());
}

TEST_F(RequestOptions, IgnoringEndTokensGoesOnToMaxTokens) {
  GenerationRequest request = story(7);
  request.sampling.logit_bias = {{eos().primary(), 100.0F}};
  EXPECT_EQ(engine_.run(request)->end.reason, StopReason::eos);
  request.ignore_eos = true;
  const auto result = engine_.run(request);
  EXPECT_EQ(result->end.reason, StopReason::max_tokens);
  EXPECT_EQ(result->ids(), std::vector<std::int32_t>(7, eos().primary()));
  EXPECT_EQ(result->text(), "") << "control tokens are never printed";
}

TEST_F(RequestOptions, NoEndTokenBeforeMinTokens) {
  GenerationRequest request = story(20);
  for (const std::int32_t id : eos().ids()) request.sampling.logit_bias.emplace_back(id, 100.0F);
  request.min_tokens = 6;
  const auto result = engine_.run(request);
  EXPECT_EQ(result->end.reason, StopReason::eos);
  EXPECT_EQ(result->tokens.size(), 6u);
  // They are the tokens that would come without the end tokens.
  request.sampling.logit_bias.clear();
  request.max_tokens = 6;
  EXPECT_EQ(result->ids(), engine_.run(request)->ids());
}

TEST_F(RequestOptions, NoStopStringBeforeMinTokens) {
  const auto plain = engine_.run(story(40));
  GenerationRequest request = story(40);
  request.stop = {plain->tokens[3].text};
  ASSERT_FALSE(request.stop[0].empty());
  EXPECT_LT(engine_.run(request)->tokens.size(), 6u);
  request.min_tokens = 10;
  const auto later = engine_.run(request);
  EXPECT_GE(later->tokens.size(), 10u);
  EXPECT_EQ(plain->text().find(later->text()), 0u);
}

TEST_F(RequestOptions, MoreThanTheContextHoldsEndsAtTheContext) {
  const std::int64_t context = engine_->info().capabilities.max_context_length;
  GenerationRequest request = request_of(some_tokens(context - 5), 100);
  request.min_tokens = 50;
  request.ignore_eos = true;
  const auto result = engine_.run(request);
  EXPECT_EQ(result->start.max_tokens, 5);
  EXPECT_EQ(result->tokens.size(), 5u);
  EXPECT_EQ(result->end.reason, StopReason::max_tokens);
}

}  // namespace
}  // namespace llm::engine
