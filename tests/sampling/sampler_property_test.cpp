// The sampler against a plain implementation that sorts the whole vocabulary, on many random rows
// and parameter sets: the same seed must give the same token.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "sampling/exp.h"
#include "sampling/sampler.h"

namespace llm::sampling {
namespace {

using Ids = std::vector<std::int32_t>;

bool higher_weight(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}
bool lower_id(const Candidate& a, const Candidate& b) { return a.id < b.id; }

// The chain as its documentation states it, without a thought for speed.
class PlainSampler {
 public:
  PlainSampler(const SamplingParams& params) : params_(params), random_(*params.seed) {}

  std::int32_t sample(std::vector<float> logits, const Ids& history, std::size_t prompt_length) {
    for (const auto& [id, bias] : params_.logit_bias) logits[static_cast<std::size_t>(id)] += bias;
    penalise(logits, history, prompt_length);
    std::vector<Candidate> all;
    for (std::size_t id = 0; id < logits.size(); ++id) {
      all.push_back({logits[id], static_cast<std::int32_t>(id), 0});
    }
    std::sort(all.begin(), all.end(), higher_logit);
    if (params_.temperature == 0) return all.front().id;

    const float highest = all.front().logit;
    if (params_.top_k > 0 && static_cast<std::size_t>(params_.top_k) < all.size()) {
      all.resize(static_cast<std::size_t>(params_.top_k));
    }
    Weight total = 0;
    for (Candidate& c : all) {
      const float p = exp_nonpositive((c.logit - highest) / params_.temperature);
      c.weight = static_cast<Weight>(static_cast<double>(p) * static_cast<double>(kOne));
      total += c.weight;
    }
    if (params_.top_p < 1) {
      std::sort(all.begin(), all.end(), higher_weight);
      const double wanted = static_cast<double>(params_.top_p) * static_cast<double>(total);
      Weight sum = 0;
      std::size_t kept = 0;
      while (kept < all.size() && (kept == 0 || static_cast<double>(sum) < wanted)) {
        sum += all[kept++].weight;
      }
      all.resize(kept);
    }
    std::erase_if(all, [&](const Candidate& c) {
      return static_cast<double>(c.weight) <
             static_cast<double>(params_.min_p) * static_cast<double>(kOne);
    });
    std::sort(all.begin(), all.end(), lower_id);
    const Weight target = random_.below(total_weight(all));
    Weight sum = 0;
    for (const Candidate& c : all) {
      if ((sum += c.weight) > target) return c.id;
    }
    return -1;
  }

 private:
  void penalise(std::vector<float>& logits, const Ids& history, std::size_t prompt_length) const {
    std::size_t begin = 0;
    if (params_.repeat_last_n > 0) {
      const auto last_n = static_cast<std::size_t>(params_.repeat_last_n);
      begin = history.size() > last_n ? history.size() - last_n : 0;
    }
    for (std::size_t token = 0; token < logits.size(); ++token) {
      const auto id = static_cast<std::int32_t>(token);
      const auto from = [&](std::size_t first) {
        return std::count(history.begin() + static_cast<std::ptrdiff_t>(first), history.end(), id);
      };
      float& logit = logits[token];
      if (from(begin) > 0 && params_.repetition_penalty != 1) {
        logit = logit > 0 ? logit / params_.repetition_penalty : logit * params_.repetition_penalty;
      }
      if (const auto count = from(prompt_length); count > 0) {
        logit -= params_.presence_penalty;
        logit -= params_.frequency_penalty * static_cast<float>(count);
      }
    }
  }

  SamplingParams params_;
  Random random_;
};

TEST(SamplerProperty, AgreesWithThePlainImplementation) {
  std::mt19937 dice(12345);
  const auto pick = [&](int low, int high) {
    return static_cast<int>(dice() % static_cast<unsigned>(high - low + 1)) + low;
  };
  const auto choose = [&](std::initializer_list<float> values) {
    return *(values.begin() + pick(0, static_cast<int>(values.size()) - 1));
  };
  for (int round = 0; round < 3400; ++round) {
    // Most rows are short; in the long ones, most of the blocks are left out by what selects.
    const int vocab_size = round < 3000 ? pick(1, 400) : pick(1000, 12000);
    SamplingParams params;
    params.temperature = choose({0, 0.01F, 0.3F, 0.7F, 1, 2});
    params.top_k = pick(0, 2) == 0 ? 0 : pick(0, vocab_size + 5);
    if (pick(0, 2) == 0) params.top_k = pick(0, 40);
    params.top_p = choose({1, 1, 0, 0.1F, 0.5F, 0.9F, 0.999F});
    params.min_p = choose({0, 0, 0.01F, 0.2F, 1});
    params.repetition_penalty = choose({1, 0.5F, 1.1F, 2});
    params.repeat_last_n = pick(0, 40);
    params.presence_penalty = choose({0, 0.5F, -1});
    params.frequency_penalty = choose({0, 0.25F, 2});
    params.seed = dice();
    for (int bias = pick(0, 3); bias > 0; --bias) {
      params.logit_bias.emplace_back(pick(0, vocab_size - 1), static_cast<float>(pick(-100, 100)));
    }
    // Coarse logits make ties; fine ones do not.
    const float step = choose({0.5F, 1e-3F});
    std::vector<float> logits(static_cast<std::size_t>(vocab_size));
    for (float& logit : logits) logit = static_cast<float>(pick(-9000, 9000)) * 1e-3F;
    for (float& logit : logits) logit = std::round(logit / step) * step;
    // Rising rows make everything the best so far; masks leave whole blocks without a choice.
    if (pick(0, 7) == 0) std::sort(logits.begin(), logits.end());
    if (pick(0, 7) == 0) {
      std::fill(logits.begin() + pick(0, vocab_size - 1), logits.end(),
                -std::numeric_limits<float>::infinity());
      logits[0] = 1;
    }
    Ids history(static_cast<std::size_t>(pick(0, 60)));
    for (std::int32_t& id : history) id = pick(0, vocab_size - 1);
    const int prompt_length = pick(0, static_cast<int>(history.size()));

    auto sampler = Sampler::create(params, vocab_size);
    ASSERT_TRUE(sampler.has_value()) << sampler.status().message();
    SamplingScratch scratch(vocab_size);
    PlainSampler plain(params);
    for (int draw = 0; draw < 3; ++draw) {
      const auto id = sampler->sample(logits, history, prompt_length, scratch);
      ASSERT_TRUE(id.has_value()) << id.status().message();
      ASSERT_EQ(id.value(), plain.sample(logits, history, static_cast<std::size_t>(prompt_length)))
          << "round " << round << " draw " << draw;
    }
  }
}

double best_of_five(const std::function<void()>& body) {
  double best = 1e9;
  for (int repetition = 0; repetition < 5; ++repetition) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

TEST(SamplerProperty, IsMuchFasterThanSortingTheVocabulary) {
  constexpr std::int32_t kVocabSize = 256 * 1024;
  std::vector<float> spread(kVocabSize);
  std::mt19937 dice(7);
  std::normal_distribution<float> normal(0, 3);
  for (float& logit : spread) logit = normal(dice);
  // Rising logits are the worst case of top-k (every token is the best so far), equal ones that of
  // top-p (every token is needed).
  std::vector<float> rising(kVocabSize);
  for (std::size_t id = 0; id < rising.size(); ++id) rising[id] = static_cast<float>(id) * 1e-6F;
  const std::vector<float> flat(kVocabSize, 1.0F);

  const double sorting = best_of_five([&] {
    std::vector<float> copy = spread;
    std::sort(copy.begin(), copy.end());
  });
  SamplingScratch scratch(kVocabSize);
  const char* const names[] = {"plain", "greedy", "top_k", "top_p", "min_p", "half"};
  for (const std::vector<float>& logits : {spread, rising, flat}) {
    for (std::size_t variant = 0; variant < std::size(names); ++variant) {
      SamplingParams params;
      params.seed = 3;
      if (variant == 1) params.temperature = 0;
      if (variant == 2) params.top_k = 40;
      if (variant == 3) params.top_p = 0.95F;
      if (variant == 4) params.min_p = 0.05F;
      if (variant == 5) params.top_k = kVocabSize / 2;
      auto sampler = Sampler::create(params, kVocabSize);
      const double took =
          best_of_five([&] { ASSERT_TRUE(sampler->sample(logits, {}, 0, scratch).has_value()); });
      EXPECT_LT(took, sorting) << names[variant];
    }
  }
}

}  // namespace
}  // namespace llm::sampling
