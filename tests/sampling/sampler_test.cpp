// The sampling chain, step by step, with numbers that can be checked by hand.
#include "sampling/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace llm::sampling {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

using Ids = std::vector<std::int32_t>;

// One sample from a fresh sampler; the prompt is `history` up to `prompt_length`.
Result<std::int32_t> sample_once(const SamplingParams& params, const std::vector<float>& logits,
                                 const Ids& history = {}, std::int64_t prompt_length = 0) {
  const auto vocab_size = static_cast<std::int64_t>(logits.size());
  Result<Sampler> sampler = Sampler::create(params, vocab_size);
  if (!sampler) return sampler.error();
  SamplingScratch scratch(vocab_size);
  return sampler->sample(logits, history, prompt_length, scratch);
}

SamplingParams greedy() {
  SamplingParams params;
  params.temperature = 0;
  return params;
}

// How often each token comes out of `n` draws.
std::map<std::int32_t, int> histogram(SamplingParams params, const std::vector<float>& logits,
                                      int n, std::uint64_t seed = 1) {
  params.seed = seed;
  const auto vocab_size = static_cast<std::int64_t>(logits.size());
  auto sampler = Sampler::create(params, vocab_size);
  EXPECT_TRUE(sampler.has_value());
  SamplingScratch scratch(vocab_size);
  std::map<std::int32_t, int> counts;
  for (int draw = 0; draw < n; ++draw) {
    const auto id = sampler->sample(logits, {}, 0, scratch);
    EXPECT_TRUE(id.has_value());
    ++counts[id.value()];
  }
  return counts;
}

TEST(Greedy, TakesTheHighestLogitAndTheLowestIdOfATie) {
  EXPECT_EQ(sample_once(greedy(), {0, 3, 1}).value(), 1);
  EXPECT_EQ(sample_once(greedy(), {1, 3, 3, 3}).value(), 1);
  EXPECT_EQ(sample_once(greedy(), {-0.0F, 0.0F}).value(), 0);
  EXPECT_EQ(sample_once(greedy(), {kMasked, -1e30F}).value(), 1);
  // Rows longer than the lanes of the maximum scan, with the winner at every place.
  for (std::size_t winner = 0; winner < 70; ++winner) {
    std::vector<float> logits(70, -5);
    logits[winner] = -4;
    EXPECT_EQ(sample_once(greedy(), logits).value(), static_cast<std::int32_t>(winner));
  }
}

TEST(Greedy, IgnoresTheFiltersAndTheSeed) {
  SamplingParams params = greedy();
  params.top_k = 2;
  params.top_p = 0.5F;
  params.min_p = 0.5F;
  for (params.seed = 0; *params.seed < 20; ++*params.seed) {
    EXPECT_EQ(sample_once(params, {1, 2, 3, 2}).value(), 2);
  }
}

TEST(Bias, IsAddedToTheLogit) {
  SamplingParams params = greedy();
  params.logit_bias = {{0, 1.5F}};
  EXPECT_EQ(sample_once(params, {0, 1}).value(), 0);
  params.logit_bias = {{0, 0.5F}};
  EXPECT_EQ(sample_once(params, {0, 1}).value(), 1);
  params.logit_bias = {{1, -100.0F}};
  EXPECT_EQ(sample_once(params, {0, 99}).value(), 0);
}

TEST(Bias, ComesBeforeThePenalty) {
  // (-1 + 3) / 2 = 1 > 0.9; the other order would give -1 * 2 + 3 = 1 as well, so use one where
  // they differ: (-1 + 2) / 2 = 0.5 > 0.3, but -1 * 2 + 2 = 0.
  SamplingParams params = greedy();
  params.repetition_penalty = 2;
  params.logit_bias = {{0, 2.0F}};
  EXPECT_EQ(sample_once(params, {-1, 0.3F}, {0}, 1).value(), 0);
  EXPECT_EQ(sample_once(params, {-1, 0.6F}, {0}, 1).value(), 1);
}

TEST(RepetitionPenalty, DividesPositiveAndMultipliesNegativeLogits) {
  SamplingParams params = greedy();
  params.repetition_penalty = 2;
  EXPECT_EQ(sample_once(params, {4, 2.1F}, {0}, 1).value(), 1);  // 4 / 2 = 2
  EXPECT_EQ(sample_once(params, {4, 1.9F}, {0}, 1).value(), 0);
  EXPECT_EQ(sample_once(params, {-1, -1.9F}, {0}, 1).value(), 1);  // -1 * 2 = -2
  EXPECT_EQ(sample_once(params, {-1, -2.1F}, {0}, 1).value(), 0);
  params.repetition_penalty = 0.5F;  // below 1 it encourages
  EXPECT_EQ(sample_once(params, {1, 1.9F}, {0}, 1).value(), 0);
}

TEST(RepetitionPenalty, CountsEachDistinctTokenOnce) {
  SamplingParams params = greedy();
  params.repetition_penalty = 2;
  EXPECT_EQ(sample_once(params, {4, 1.9F}, {0, 0, 0, 0}, 4).value(), 0);
}

TEST(RepetitionPenalty, LooksAtTheLastNOfPromptAndOutput) {
  SamplingParams params = greedy();
  params.repetition_penalty = 2;
  const std::vector<float> logits = {4, 3};
  const Ids history = {0, 2 - 1, 1};  // token 0 is third from the end
  params.repeat_last_n = 2;
  EXPECT_EQ(sample_once(params, logits, history, 3).value(), 0);  // only 1 is penalised
  params.repeat_last_n = 3;
  EXPECT_EQ(sample_once(params, {4, 1.9F}, {0, 0, 0}, 3).value(), 0);
  EXPECT_EQ(sample_once(params, {4, 2.1F}, {0, 0, 0}, 3).value(), 1);
  // 0 = everything, however long ago; the default window of 128 would not see it.
  Ids long_history(1000, 1);
  long_history[0] = 0;
  params.repeat_last_n = 0;
  EXPECT_EQ(sample_once(params, {4, 3, 2.5F}, long_history, 500).value(), 2);
  params.repeat_last_n = 128;
  EXPECT_EQ(sample_once(params, {4, 3, 2.5F}, long_history, 500).value(), 0);
  // The window spans the border between prompt and output.
  params.repeat_last_n = 2;
  EXPECT_EQ(sample_once(params, {4, 3, 2.5F}, {0, 1}, 1).value(), 2);
}

TEST(PresenceAndFrequency, CountGeneratedTokensOnly) {
  SamplingParams params = greedy();
  params.presence_penalty = 1;
  EXPECT_EQ(sample_once(params, {4, 3.5F}, {0, 0}, 2).value(), 0);     // prompt: not counted
  EXPECT_EQ(sample_once(params, {4, 3.5F}, {0, 0}, 1).value(), 1);     // 4 - 1 = 3
  EXPECT_EQ(sample_once(params, {4, 2.9F}, {0, 0, 0}, 0).value(), 0);  // once, however often
  params.presence_penalty = 0;
  params.frequency_penalty = 0.5F;
  EXPECT_EQ(sample_once(params, {4, 2.6F}, {0, 0, 0}, 0).value(), 1);  // 4 - 3 * 0.5 = 2.5
  EXPECT_EQ(sample_once(params, {4, 2.4F}, {0, 0, 0}, 0).value(), 0);
  params.presence_penalty = 0.25F;
  EXPECT_EQ(sample_once(params, {4, 2.3F}, {0, 0, 0}, 0).value(), 1);  // 2.25
  EXPECT_EQ(sample_once(params, {4, 2.2F}, {0, 0, 0}, 0).value(), 0);
}

TEST(PresenceAndFrequency, FollowTheRepetitionPenalty) {
  SamplingParams params = greedy();
  params.repetition_penalty = 2;
  params.presence_penalty = 1;
  // 4 / 2 - 1 = 1; the other order would give (4 - 1) / 2 = 1.5.
  EXPECT_EQ(sample_once(params, {4, 1.2F}, {0}, 0).value(), 1);
}

TEST(Scratch, LeavesNoTraceOfOneCallInTheNext) {
  SamplingParams params = greedy();
  params.repetition_penalty = 2;
  params.frequency_penalty = 1;
  auto penalised = Sampler::create(params, 2);
  SamplingScratch scratch(2);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(penalised->sample(std::vector<float>{4, 1.2F}, Ids{0}, 0, scratch).value(), 1);
    EXPECT_EQ(penalised->sample(std::vector<float>{4, 1.2F}, Ids{1}, 0, scratch).value(), 0);
  }
}

TEST(TopK, KeepsTheKBestAndBreaksTiesByTheLowerId) {
  SamplingParams params;
  params.top_k = 2;
  const auto counts = histogram(params, {1, 1, 1, 1, 0}, 200);
  EXPECT_EQ(counts.size(), 2U);
  EXPECT_TRUE(counts.contains(0) && counts.contains(1));
  params.top_k = 1;
  EXPECT_EQ(histogram(params, {0, 2, 2}, 50), (std::map<std::int32_t, int>{{1, 50}}));
  params.top_k = 1000000;  // more than there are: no filter
  EXPECT_EQ(histogram(params, {1, 1, 1, 1}, 400).size(), 4U);
}

TEST(TopP, KeepsTheSmallestSetWithAtLeastThatMass) {
  // Probabilities 0.5, 0.25, 0.125, 0.125.
  const std::vector<float> logits = {std::log(0.125F), std::log(0.5F), std::log(0.25F),
                                     std::log(0.125F)};
  SamplingParams params;
  params.top_p = 0.49F;
  EXPECT_EQ(histogram(params, logits, 100).size(), 1U);
  params.top_p = 0.7F;
  const auto two = histogram(params, logits, 200);
  EXPECT_EQ(two.size(), 2U);
  EXPECT_TRUE(two.contains(1) && two.contains(2));
  params.top_p = 0.8F;  // the tie between 0 and 3 goes to the lower id
  const auto three = histogram(params, logits, 400);
  EXPECT_EQ(three.size(), 3U);
  EXPECT_FALSE(three.contains(3));
  params.top_p = 0.9F;
  EXPECT_EQ(histogram(params, logits, 800).size(), 4U);
}

TEST(TopP, ZeroKeepsOneToken) {
  SamplingParams params;
  params.top_p = 0;
  EXPECT_EQ(histogram(params, {0, 1, 1, 0.9F}, 100), (std::map<std::int32_t, int>{{1, 100}}));
}

TEST(TopP, CountsTheMassLeftByTopK) {
  // After top_k = 2 the probabilities are 2/3 and 1/3: 0.6 needs one token. Without top-k, the
  // masses are 0.4, 0.2 and four times 0.1: 0.6 needs two.
  const std::vector<float> logits = {std::log(0.4F), std::log(0.2F), std::log(0.1F),
                                     std::log(0.1F), std::log(0.1F), std::log(0.1F)};
  SamplingParams params;
  params.top_p = 0.59F;
  EXPECT_EQ(histogram(params, logits, 200).size(), 2U);
  params.top_k = 2;
  EXPECT_EQ(histogram(params, logits, 200).size(), 1U);
}

TEST(MinP, DropsTokensBelowAFractionOfTheLikeliest) {
  const std::vector<float> logits = {std::log(0.5F), std::log(0.26F), std::log(0.24F)};
  SamplingParams params;
  params.min_p = 0.5F;
  const auto counts = histogram(params, logits, 300);
  EXPECT_EQ(counts.size(), 2U);
  EXPECT_FALSE(counts.contains(2));
  params.min_p = 1;
  EXPECT_EQ(histogram(params, {1, 2, 2, 1}, 100).size(), 2U);  // only the likeliest, with ties
}

TEST(MinP, LooksAtTheTemperedProbabilities) {
  // Ratio 1/4 at temperature 1, 1/2 at temperature 2.
  const std::vector<float> logits = {std::log(0.8F), std::log(0.2F)};
  SamplingParams params;
  params.min_p = 0.4F;
  EXPECT_EQ(histogram(params, logits, 100).size(), 1U);
  params.temperature = 2;
  EXPECT_EQ(histogram(params, logits, 100).size(), 2U);
}

TEST(Mask, MinusInfinityIsNeverChosen) {
  const std::vector<float> logits = {kMasked, 0, kMasked, 0};
  for (const std::int32_t top_k : {0, 4}) {
    for (const float top_p : {1.0F, 0.99F}) {
      SamplingParams params;
      params.top_k = top_k;
      params.top_p = top_p;
      const auto counts = histogram(params, logits, 200);
      EXPECT_EQ(counts.size(), 2U);
      EXPECT_TRUE(counts.contains(1) && counts.contains(3));
    }
  }
}

TEST(Banned, TokensAreNeverChosenWhateverTheirBias) {
  SamplingParams params = greedy();
  params.logit_bias = {{1, 100.0F}};
  auto sampler = Sampler::create(params, 3);
  ASSERT_TRUE(sampler.has_value());
  SamplingScratch scratch(3);
  const std::vector<float> logits = {0, 1, 2};
  const Ids banned = {1};
  EXPECT_EQ(sampler->sample(logits, {}, 0, scratch).value(), 1);
  EXPECT_EQ(sampler->sample(logits, {}, 0, scratch, banned).value(), 2);
  EXPECT_EQ(sampler->sample(logits, {}, 0, scratch).value(), 1) << "for that one draw";
  const Ids all = {0, 1, 2};
  EXPECT_FALSE(sampler->sample(logits, {}, 0, scratch, all).has_value());
  const Ids outside = {3};
  EXPECT_FALSE(sampler->sample(logits, {}, 0, scratch, outside).has_value());
}

TEST(BadLogits, AreErrorsThatNameTheToken) {
  for (const float temperature : {0.0F, 1.0F}) {
    SamplingParams params;
    params.temperature = temperature;
    EXPECT_EQ(sample_once(params, {0, NAN, 0}).status().message(),
              "logit of token 1 is nan (expected a finite number)");
    EXPECT_EQ(sample_once(params, {0, 0, INFINITY}).status().message(),
              "logit of token 2 is inf (expected a finite number)");
    EXPECT_EQ(sample_once(params, {kMasked, kMasked}).status().message(),
              "all 2 tokens are masked: none can be chosen");
  }
}

TEST(BadHistory, IdsOutsideTheVocabularyAreAnError) {
  SamplingParams params;
  params.repetition_penalty = 1.5F;
  EXPECT_FALSE(sample_once(params, {0, 1}, {2}, 1).has_value());
  EXPECT_FALSE(sample_once(params, {0, 1}, {-1}, 1).has_value());
  params.repetition_penalty = 1;
  params.presence_penalty = 1;
  EXPECT_FALSE(sample_once(params, {0, 1}, {2}, 0).has_value());
}

TEST(ExtremeValues, StayDefined) {
  SamplingParams params;
  params.repetition_penalty = std::numeric_limits<float>::denorm_min();
  EXPECT_TRUE(sample_once(params, {3e38F, 5, -3e38F, 0}, {0, 1, 2, 3}, 4).has_value());
  params.repetition_penalty = 2;
  params.temperature = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(sample_once(params, {1, 3e38F, -3e38F}).value(), 1);
  params.temperature = 2;
  EXPECT_EQ(sample_once(params, {-3e38F, 3e38F}).value(), 1);
}

// Pearson's statistic against expected probabilities; 99.9 % points of the chi-square
// distribution. The seed is fixed, so the outcome is too.
double chi_square(const std::map<std::int32_t, int>& counts, const std::vector<double>& expected,
                  int n) {
  double sum = 0;
  for (std::size_t id = 0; id < expected.size(); ++id) {
    const auto found = counts.find(static_cast<std::int32_t>(id));
    const double observed = found == counts.end() ? 0 : found->second;
    const double wanted = expected[id] * n;
    sum += (observed - wanted) * (observed - wanted) / wanted;
  }
  return sum;
}

TEST(Distribution, FollowsTheSoftmaxAtTheTemperature) {
  const std::vector<float> logits = {0, 1, 2, -1, 0.5F, 1.5F};
  for (const float temperature : {0.5F, 1.0F, 2.0F}) {
    std::vector<double> expected;
    for (const float logit : logits)
      expected.push_back(std::exp(static_cast<double>(logit / temperature)));
    const double sum = std::accumulate(expected.begin(), expected.end(), 0.0);
    for (double& p : expected) p /= sum;
    SamplingParams params;
    params.temperature = temperature;
    const int n = 20000;
    EXPECT_LT(chi_square(histogram(params, logits, n), expected, n), 20.5) << temperature;  // 5 df
    // The same through the filtering paths, with filters that keep everything.
    params.top_k = 6;
    EXPECT_LT(chi_square(histogram(params, logits, n, 2), expected, n), 20.5) << temperature;
    params.top_k = 0;
    params.min_p = 1e-6F;
    EXPECT_LT(chi_square(histogram(params, logits, n, 3), expected, n), 20.5) << temperature;
  }
}

TEST(Distribution, IsRenormalisedOverTheSurvivors) {
  const std::vector<float> logits = {std::log(0.4F), std::log(0.1F), std::log(0.3F),
                                     std::log(0.2F)};
  SamplingParams params;
  params.top_p = 0.85F;  // drops token 1
  const int n = 20000;
  auto counts = histogram(params, logits, n);
  EXPECT_EQ(counts.count(1), 0U);
  const std::map<std::int32_t, int> survivors = {{0, counts[0]}, {1, counts[2]}, {2, counts[3]}};
  EXPECT_LT(chi_square(survivors, {4.0 / 9, 3.0 / 9, 2.0 / 9}, n), 13.8);  // 2 df
}

TEST(Seed, DecidesTheSequenceOfDraws) {
  const std::vector<float> logits(50, 0.0F);
  const auto sequence = [&](std::uint64_t seed) {
    SamplingParams params;
    params.seed = seed;
    auto sampler = Sampler::create(params, 50);
    SamplingScratch scratch(50);
    Ids ids;
    for (int draw = 0; draw < 40; ++draw) {
      ids.push_back(sampler->sample(logits, ids, 0, scratch).value());
    }
    return ids;
  };
  EXPECT_EQ(sequence(1), sequence(1));
  EXPECT_NE(sequence(1), sequence(2));
  EXPECT_NE(sequence(0), sequence(std::uint64_t{1} << 63));
}

TEST(Seed, TwoRequestsInTurnDoNotDisturbEachOther) {
  const std::vector<float> logits(20, 0.0F);
  SamplingParams params;
  params.seed = 5;
  auto alone = Sampler::create(params, 20);
  auto mixed = Sampler::create(params, 20);
  params.seed = 6;
  params.top_k = 3;
  auto other = Sampler::create(params, 20);
  SamplingScratch scratch(20);
  SamplingScratch shared(20);
  for (int draw = 0; draw < 50; ++draw) {
    const auto expected = alone->sample(logits, {}, 0, scratch).value();
    EXPECT_EQ(mixed->sample(logits, {}, 0, shared).value(), expected);
    ASSERT_TRUE(other->sample(logits, {}, 0, shared).has_value());
  }
}

}  // namespace
}  // namespace llm::sampling
