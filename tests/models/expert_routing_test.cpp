// Which experts a row of router logits chooses, with answers worked out by hand.
#include "models/expert_routing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace llm::models {
namespace {

struct Choice {
  std::vector<std::int32_t> ids;
  std::vector<float> weights;
};

Choice choose(const ExpertRouting& routing, const std::vector<float>& logits, std::size_t used,
              const std::vector<float>& bias = {}) {
  Choice choice{std::vector<std::int32_t>(used), std::vector<float>(used)};
  std::vector<float> scores(2 * logits.size());
  choose_experts(routing, logits, bias, scores, choice.ids, choice.weights);
  return choice;
}

// Logits whose softmax is 0.1, 0.4, 0.2, 0.3.
const std::vector<float> kLogits = {std::log(0.1F), std::log(0.4F), std::log(0.2F), std::log(0.3F)};

TEST(ChooseExperts, TakesTheHighestScoresInFallingOrder) {
  const Choice choice = choose({}, kLogits, 3);
  EXPECT_EQ(choice.ids, (std::vector<std::int32_t>{1, 3, 2}));
  EXPECT_NEAR(choice.weights[0], 0.4, 1e-6);
  EXPECT_NEAR(choice.weights[1], 0.3, 1e-6);
  EXPECT_NEAR(choice.weights[2], 0.2, 1e-6);
}

TEST(ChooseExperts, NormalisedWeightsAddUpToOneBeforeScaling) {
  const Choice choice = choose({.normalize = true, .scale = 2.5F}, kLogits, 2);
  EXPECT_NEAR(choice.weights[0], 2.5 * 0.4 / 0.7, 1e-6);
  EXPECT_NEAR(choice.weights[1], 2.5 * 0.3 / 0.7, 1e-6);
}

TEST(ChooseExperts, SigmoidScoresEachExpertAlone) {
  const Choice choice = choose({.score = ExpertScore::sigmoid}, {0.0F, std::log(3.0F)}, 2);
  EXPECT_EQ(choice.ids, (std::vector<std::int32_t>{1, 0}));
  EXPECT_NEAR(choice.weights[0], 0.75, 1e-6);
  EXPECT_NEAR(choice.weights[1], 0.5, 1e-6);
}

TEST(ChooseExperts, BiasMovesTheChoiceAndNotTheWeight) {
  const Choice choice = choose({}, kLogits, 2, {0.5F, 0.0F, 0.0F, 0.0F});
  EXPECT_EQ(choice.ids, (std::vector<std::int32_t>{0, 1}));
  EXPECT_NEAR(choice.weights[0], 0.1, 1e-6);
}

// Softmax scores 0.05, 0.30 | 0.20, 0.22 | 0.13, 0.10 in three groups of two.
const std::vector<float> kGrouped = {std::log(0.05F), std::log(0.30F), std::log(0.20F),
                                     std::log(0.22F), std::log(0.13F), std::log(0.10F)};

TEST(ChooseExperts, OnlyTheBestGroupsAreChosenFrom) {
  // By the best expert the first group leads, by the sum of the best two the second.
  const ExpertRouting best{.groups = 3, .groups_used = 1, .group_score = GroupScore::best};
  EXPECT_EQ(choose(best, kGrouped, 2).ids, (std::vector<std::int32_t>{1, 0}));
  const ExpertRouting two{.groups = 3, .groups_used = 1, .group_score = GroupScore::best_two};
  EXPECT_EQ(choose(two, kGrouped, 2).ids, (std::vector<std::int32_t>{3, 2}));
  const ExpertRouting pair{.groups = 3, .groups_used = 2, .group_score = GroupScore::best_two};
  EXPECT_EQ(choose(pair, kGrouped, 3).ids, (std::vector<std::int32_t>{1, 3, 2}));
}

TEST(ChooseExperts, ARefusedGroupStaysOutAlsoWhereBiasesAreNegative) {
  // Scores 0.5 each; with the bias all of the group that is kept are below zero.
  const ExpertRouting routing{.score = ExpertScore::sigmoid,
                              .groups = 2,
                              .groups_used = 1,
                              .group_score = GroupScore::best_two};
  const Choice choice = choose(routing, {0, 0, 0, 0}, 2, {-2.0F, -3.0F, -0.75F, -1.0F});
  EXPECT_EQ(choice.ids, (std::vector<std::int32_t>{2, 3}));
  EXPECT_NEAR(choice.weights[0], 0.5, 1e-6);
}

TEST(ChooseExperts, OfEqualGroupsTheFirstStays) {
  const ExpertRouting routing{.groups = 2, .groups_used = 1};
  EXPECT_EQ(choose(routing, {1.0F, 2.0F, 2.0F, 1.0F}, 2).ids, (std::vector<std::int32_t>{1, 0}));
}

TEST(ChooseExperts, TiesGoToTheLowestIndex) {
  EXPECT_EQ(choose({}, {1.0F, 2.0F, 2.0F, 2.0F}, 2).ids, (std::vector<std::int32_t>{1, 2}));
}

TEST(ChooseExperts, LargeLogitsDoNotOverflow) {
  const Choice choice = choose({}, {3e38F, -3e38F, 3e38F}, 2);
  EXPECT_EQ(choice.ids, (std::vector<std::int32_t>{0, 2}));
  EXPECT_NEAR(choice.weights[0], 0.5, 1e-6);
}

TEST(ChooseExperts, NanStillGivesDistinctExpertsInRange) {
  // Such a row is lost already; it must not index outside, or make an expert run twice.
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const ExpertScore score : {ExpertScore::softmax, ExpertScore::sigmoid}) {
    const Choice choice =
        choose({.score = score, .groups = 2, .groups_used = 1}, {nan, 1.0F, nan, nan}, 3);
    std::vector<bool> seen(4, false);
    for (const std::int32_t id : choice.ids) {
      ASSERT_GE(id, 0);
      ASSERT_LT(id, 4);
      EXPECT_FALSE(seen[static_cast<std::size_t>(id)]);
      seen[static_cast<std::size_t>(id)] = true;
    }
  }
}

}  // namespace
}  // namespace llm::models
