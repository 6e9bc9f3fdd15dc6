// Ranges of SamplingParams: what validate() accepts and the words it refuses with.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "llm/sampling.h"
#include "sampling/sampler.h"

namespace llm {
namespace {

TEST(SamplingParams, DefaultsAndTheEndsOfEachRangeAreValid) {
  EXPECT_TRUE(SamplingParams{}.validate().ok());
  SamplingParams lowest{.temperature = 0,
                        .top_k = 0,
                        .top_p = 0,
                        .min_p = 0,
                        .repetition_penalty = std::numeric_limits<float>::denorm_min(),
                        .repeat_last_n = 0,
                        .presence_penalty = -2,
                        .frequency_penalty = -2,
                        .logit_bias = {{0, -100.0F}},
                        .seed = {}};
  EXPECT_TRUE(lowest.validate().ok()) << lowest.validate().message();
  SamplingParams highest{.temperature = 2,
                         .top_k = std::numeric_limits<std::int32_t>::max(),
                         .top_p = 1,
                         .min_p = 1,
                         .repetition_penalty = 2,
                         .repeat_last_n = std::numeric_limits<std::int32_t>::max(),
                         .presence_penalty = 2,
                         .frequency_penalty = 2,
                         .logit_bias = {{5, 100.0F}},
                         .seed = {}};
  EXPECT_TRUE(highest.validate().ok()) << highest.validate().message();
}

struct Refusal {
  void (*change)(SamplingParams&);
  const char* message;
};

TEST(SamplingParams, EveryValueOutOfRangeIsNamedWithItsBoundAndItself) {
  const Refusal refusals[] = {
      {[](SamplingParams& p) { p.temperature = 2.5F; },
       "temperature must be at most 2.0 (got 2.5)"},
      {[](SamplingParams& p) { p.temperature = -0.1F; },
       "temperature must be at least 0.0 (got -0.1)"},
      {[](SamplingParams& p) { p.temperature = NAN; },
       "temperature must be a finite number (got nan)"},
      {[](SamplingParams& p) { p.temperature = INFINITY; },
       "temperature must be a finite number (got inf)"},
      {[](SamplingParams& p) { p.top_k = -1; }, "top_k must be at least 0 (got -1)"},
      {[](SamplingParams& p) { p.top_p = 1.5F; }, "top_p must be at most 1.0 (got 1.5)"},
      {[](SamplingParams& p) { p.top_p = -1; }, "top_p must be at least 0.0 (got -1)"},
      {[](SamplingParams& p) { p.min_p = 2; }, "min_p must be at most 1.0 (got 2)"},
      {[](SamplingParams& p) { p.repetition_penalty = 0; },
       "repetition_penalty must be greater than 0.0 (got 0)"},
      {[](SamplingParams& p) { p.repetition_penalty = -1; },
       "repetition_penalty must be at least 0.0 (got -1)"},
      {[](SamplingParams& p) { p.repetition_penalty = 2.1F; },
       "repetition_penalty must be at most 2.0 (got 2.1)"},
      {[](SamplingParams& p) { p.repeat_last_n = -5; },
       "repeat_last_n must be at least 0 (got -5)"},
      {[](SamplingParams& p) { p.presence_penalty = 3; },
       "presence_penalty must be at most 2.0 (got 3)"},
      {[](SamplingParams& p) { p.frequency_penalty = -3; },
       "frequency_penalty must be at least -2.0 (got -3)"},
      {[](SamplingParams& p) {
         p.logit_bias = {{7, 101.0F}};
       },
       "logit_bias of token 7 must be at most 100.0 (got 101)"},
      {[](SamplingParams& p) {
         p.logit_bias = {{-7, 1.0F}};
       },
       "logit_bias token id must be at least 0 (got -7)"},
  };
  for (const Refusal& refusal : refusals) {
    SamplingParams params;
    refusal.change(params);
    const Status status = params.validate();
    EXPECT_EQ(status.code(), StatusCode::invalid_argument) << refusal.message;
    EXPECT_EQ(status.message(), refusal.message);
  }
}

TEST(Sampler, RefusesWhatValidateRefusesAndBiasOutsideTheVocabulary) {
  SamplingParams params;
  params.top_k = -1;
  EXPECT_EQ(sampling::Sampler::create(params, 10).status().message(),
            "top_k must be at least 0 (got -1)");
  params = {};
  params.logit_bias = {{10, 1.0F}};
  EXPECT_EQ(sampling::Sampler::create(params, 10).status().message(),
            "logit_bias token id must be below the vocabulary size 10 (got 10)");
  EXPECT_TRUE(sampling::Sampler::create(params, 11).has_value());
  EXPECT_FALSE(sampling::Sampler::create({}, 0).has_value());
}

TEST(Sampler, ReportsTheSeedInUse) {
  SamplingParams params;
  params.seed = 77;
  EXPECT_EQ(sampling::Sampler::create(params, 10)->params().seed, 77U);
  const auto first = sampling::Sampler::create({}, 10);
  const auto second = sampling::Sampler::create({}, 10);
  ASSERT_TRUE(first.value().params().seed.has_value());
  EXPECT_NE(first.value().params().seed, second.value().params().seed);
}

}  // namespace
}  // namespace llm
