// Passes over rows and selections among candidates: what is left out must not matter.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "sampling/candidates.h"
#include "sampling/exp.h"
#include "sampling/scan.h"
#include "sampling/weigh.h"

namespace llm::sampling {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

std::vector<std::int32_t> ids(const std::vector<Candidate>& candidates) {
  std::vector<std::int32_t> result;
  for (const Candidate& c : candidates) result.push_back(c.id);
  return result;
}

TEST(Scan, FindsTheHighestOfEachBlock) {
  std::vector<float> logits(2 * kBlockTokens + 3, -7.0F);
  logits[5] = 1;
  logits[2 * kBlockTokens - 1] = 3;
  logits.back() = -2;
  std::vector<float> room(3);
  const auto row = scan_row(logits, room);
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->highest, 3.0F);
  EXPECT_EQ(room, (std::vector<float>{1, 3, -2}));
  EXPECT_EQ(row->block(2).size(), 3U);
}

TEST(Scan, NamesABadLogitWhereverItIs) {
  std::vector<float> room(2);
  for (const std::size_t place : {0, 15, 200, 256, 270, 299}) {
    for (const float bad : {NAN, INFINITY}) {
      std::vector<float> logits(300, kMasked);
      logits[place] = bad;
      std::vector<float> copy(300);
      for (const Status& status : {scan_row(logits, room).status(), copy_logits(logits, copy)}) {
        EXPECT_NE(status.message().find("token " + std::to_string(place) + " "), std::string::npos)
            << status.message();
      }
    }
  }
}

// Vectors of every width give what the definition gives, to the bit: weights decide which token a
// seed gives.
TEST(Weigh, IsTheDefinitionForEveryLength) {
  std::mt19937 dice(5);
  std::uniform_real_distribution<float> logit(-100, 0);
  for (const float temperature : {0.3F, 1.0F, 2.0F}) {
    for (std::size_t length = 1; length <= kBlockTokens; ++length) {
      std::vector<float> logits(length);
      for (float& value : logits) value = logit(dice);
      logits[0] = 0;
      logits[length / 2] = kMasked;
      BlockWeights weights;
      weights.fill(123);
      weigh_block(logits, 0, temperature, weights);
      std::array<double, 32> sums{};
      for (std::size_t t = 0; t < kBlockTokens; ++t) {
        if (t >= length) {
          ASSERT_EQ(weights[t], 0U);
          continue;
        }
        const double p = static_cast<double>(exp_nonpositive(logits[t] / temperature));
        const auto expected = static_cast<Weight>(p * static_cast<double>(kOne));
        ASSERT_EQ(weights[t], expected) << logits[t];
        ASSERT_EQ(weigh_token(logits[t], 0, temperature), expected) << logits[t];
        sums[t % sums.size()] += static_cast<double>(exp_nonpositive(logits[t]));
      }
      const double sum = std::accumulate(sums.begin(), sums.end(), 0.0);
      ASSERT_EQ(sum_of_exponentials(logits, 0), sum);
    }
  }
}

TEST(TopK, IsWhatSortingGivesInOrderOfId) {
  std::mt19937 dice(3);
  for (int round = 0; round < 60; ++round) {
    std::vector<float> logits(1 + dice() % 20000);
    // A few values only: ties, zeros of both signs among them.
    for (float& value : logits) value = static_cast<float>(static_cast<int>(dice() % 9) - 4) * 0.5F;
    if (round % 2 == 0) {
      for (float& value : logits) value += static_cast<float>(dice() % 1000) * 1e-3F;
    }
    if (round % 3 == 0) logits[dice() % logits.size()] = -0.0F;
    if (round % 5 == 0) std::sort(logits.begin(), logits.end());
    if (round % 4 == 0) std::fill(logits.begin(), logits.begin() + logits.size() / 3, kMasked);
    std::vector<float> room(blocks_of(logits.size()));
    const ScannedRow row = scan_row(logits, room).value();
    std::vector<Candidate> sorted;
    for (std::size_t id = 0; id < logits.size(); ++id) {
      if (logits[id] != kMasked) sorted.push_back({logits[id], static_cast<std::int32_t>(id), 0});
    }
    std::sort(sorted.begin(), sorted.end(), higher_logit);
    for (const std::size_t k : {std::size_t{1}, std::size_t{7}, room.size(), room.size() + 1,
                                logits.size() / 2 + 1, logits.size() + 3}) {
      std::vector<std::int32_t> expected =
          ids({sorted.begin(), sorted.begin() + std::min(k, sorted.size())});
      std::sort(expected.begin(), expected.end());
      std::vector<Candidate> found = {{1, 2, 3}};  // what was there before does not matter
      select_top_k(row, k, found);
      ASSERT_EQ(ids(found), expected) << "round " << round << ", k " << k;
    }
  }
}

TEST(KeepHeaviest, IsTheShortestPrefixOfTheSortedCandidates) {
  std::mt19937 dice(4);
  for (int round = 0; round < 400; ++round) {
    std::vector<Candidate> all(1 + dice() % 3000);
    const Weight coarse = round % 2 == 0 ? Weight{1} << (dice() % 41) : 1;
    Weight total = 0;
    for (std::size_t n = 0; n < all.size(); ++n) {
      const float p = exp_nonpositive(static_cast<float>(dice() % 2800) * -0.01F);
      auto weight = static_cast<Weight>(p * static_cast<float>(kOne));
      if (round % 4 < 2) weight = weight / coarse * coarse;  // ties
      all[n] = {0, static_cast<std::int32_t>(3 * n), weight};
      total += weight;
    }
    if (total == 0) continue;
    for (const Weight target : {Weight{1}, total / 3 + 1, total}) {
      std::vector<Candidate> sorted = all;
      std::sort(sorted.begin(), sorted.end(), [](const Candidate& a, const Candidate& b) {
        return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
      });
      std::size_t length = 0;
      for (Weight sum = 0; sum < target; ++length) sum += sorted[length].weight;
      std::vector<std::int32_t> expected = ids({sorted.begin(), sorted.begin() + length});
      std::sort(expected.begin(), expected.end());
      std::vector<Candidate> kept = all;
      keep_heaviest(kept, target);
      ASSERT_EQ(ids(kept), expected) << "round " << round << ", target " << target;
    }
  }
}

}  // namespace
}  // namespace llm::sampling
