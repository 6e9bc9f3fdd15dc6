// What steps cost is learnt from those that ran, whatever else the machine does, and slices are cut
// so that a step keeps the gap.
#include "engine/step_cost.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace llm::engine {
namespace {

// A machine: a step costs so much, plus so much per sequence and per unit of prefill.
struct Machine {
  double base_ms = 20;
  double decode_ms = 2;
  double prefill_ms = 1;
  double noise = 0;  // share of steps that take ten times as long
  std::mt19937 random{1};

  double undisturbed(const StepLoad& load) const {
    return base_ms + decode_ms * static_cast<double>(load.decodes) + prefill_ms * load.prefill_work;
  }
  double run(const StepLoad& load) {
    const bool disturbed = std::uniform_real_distribution<double>()(random) < noise;
    return undisturbed(load) * (disturbed ? 10 : 1);
  }
};

StepLoad load_of(std::int64_t decodes, double work) {
  return {.decodes = decodes, .prefills = std::llround(work), .prefill_work = std::floor(work)};
}

// Runs decode steps and then mixed ones; the mixed ones' times without disturbance.
std::vector<double> mixed_steps(StepCost& cost, Machine& machine, std::int64_t decodes, int steps) {
  cost.observe(load_of(0, 32), machine.run(load_of(0, 32)));  // the first prompt
  for (int step = 0; step < 20; ++step) {
    cost.observe({.decodes = decodes}, machine.run({.decodes = decodes}));
  }
  std::vector<double> times;
  for (int step = 0; step < steps; ++step) {
    const StepLoad load = load_of(decodes, cost.prefill_work(decodes));
    times.push_back(machine.undisturbed(load));
    cost.observe(load, machine.run(load));
  }
  return times;
}

TEST(RecentMedian, IsTheMedianOfTheLastFew) {
  RecentMedian median;
  EXPECT_TRUE(median.empty());
  for (const double value : {5.0, 1.0, 3.0}) median.add(value);
  EXPECT_EQ(median.get(), 3);
  for (int i = 0; i < 9; ++i) median.add(7);
  EXPECT_EQ(median.get(), 7);
  for (int i = 0; i < 4; ++i) median.add(1000);
  EXPECT_EQ(median.get(), 7) << "four outliers of nine do not count";
}

TEST(StepCost, KeepsTheGapAndUsesIt) {
  Machine machine;
  StepCost cost(100);
  const std::vector<double> times = mixed_steps(cost, machine, 4, 100);
  for (std::size_t step = 10; step < times.size(); ++step) {
    EXPECT_LE(times[step], 90) << step << ": some reserve is left";
    EXPECT_GE(times[step], 75) << step;
  }
}

TEST(StepCost, NoiseDoesNotThrowItOff) {
  Machine machine;
  machine.noise = 0.2;
  StepCost cost(100);
  const std::vector<double> times = mixed_steps(cost, machine, 4, 300);
  int good = 0;
  for (std::size_t step = 20; step < times.size(); ++step) {
    EXPECT_LE(times[step], 130) << step;
    good += times[step] >= 70 && times[step] <= 105 ? 1 : 0;
  }
  EXPECT_GT(good, 230) << "of 280";
}

// Steps that vary get a reserve, as large as they vary: a stream sees a longer gap once in a while
// at most.
TEST(StepCost, LeavesAReserveForStepsThatVary) {
  Machine machine;
  StepCost cost(100);
  mixed_steps(cost, machine, 4, 1);
  std::normal_distribution<double> factor(1.0, 0.1);
  int over = 0;
  double work = 0;
  for (int step = 0; step < 500; ++step) {
    const StepLoad load = load_of(4, cost.prefill_work(4));
    const double ms = machine.undisturbed(load) * std::clamp(factor(machine.random), 0.8, 1.4);
    over += step >= 100 && ms > 100 ? 1 : 0;
    work += load.prefill_work;
    cost.observe(load, ms);
  }
  EXPECT_LE(over, 4) << "of 400";
  EXPECT_GT(work / 500, 25) << "of 72 that would fit without variation";
}

TEST(StepCost, FollowsAChangeOfSpeed) {
  Machine machine;
  StepCost cost(100);
  mixed_steps(cost, machine, 4, 50);
  machine.prefill_ms = 4;  // long contexts, or half the machine is gone
  int late = 0;
  for (int step = 0; step < 40; ++step) {
    const StepLoad load = load_of(4, cost.prefill_work(4));
    if (machine.undisturbed(load) > 105) late = step + 1;
    cost.observe(load, machine.run(load));
  }
  EXPECT_LE(late, 8);
}

TEST(StepCost, PromptsAdvanceAlsoWhenDecodingAloneTakesAsLong) {
  Machine machine;
  machine.base_ms = 150;
  machine.prefill_ms = 2;
  StepCost cost(100);
  const std::vector<double> times = mixed_steps(cost, machine, 1, 50);
  const double decode = machine.undisturbed({.decodes = 1});
  for (std::size_t step = 10; step < times.size(); ++step) {
    EXPECT_GT(times[step], decode + 10);
    EXPECT_LT(times[step], decode * 1.4) << "a fifth of the time or a little more";
  }
}

TEST(StepCost, WithoutStreamsSlicesAreLarger) {
  Machine machine;
  StepCost cost(100);
  mixed_steps(cost, machine, 4, 50);
  for (int step = 0; step < 10; ++step) {
    const StepLoad load = load_of(0, cost.prefill_work(0));
    cost.observe(load, machine.run(load));
  }
  EXPECT_GT(cost.prefill_work(0), 3 * cost.prefill_work(4));
  EXPECT_LE(machine.undisturbed(load_of(0, cost.prefill_work(0))), 430);
}

// Streams of another engine wait for our steps as well, and ours for its.
TEST(StepCost, AGapCanBeShared) {
  Machine machine;
  StepCost cost(100);
  mixed_steps(cost, machine, 4, 50);
  EXPECT_LE(machine.undisturbed(load_of(4, cost.prefill_work(4, 0.5))), 51);
  EXPECT_GE(machine.undisturbed(load_of(4, cost.prefill_work(4, 0.5))), 35);
  EXPECT_LE(machine.undisturbed(load_of(0, cost.prefill_work(0, 0.5))), 71)
      << "no larger slices although we have no streams";
}

TEST(StepCost, UnknownSizesAreApproachedInSteps) {
  StepCost cost(1000);
  const double first = cost.prefill_work(0);
  EXPECT_LE(first, 64) << "nothing is known yet";
  cost.observe(load_of(0, first), 1);
  EXPECT_LE(cost.prefill_work(0), 2 * first);
}

TEST(StepCost, WithoutALimitThereIsNone) {
  StepCost cost(0);
  EXPECT_TRUE(std::isinf(cost.prefill_work(0)));
  cost.observe(load_of(0, 32), 1000);
  EXPECT_TRUE(std::isinf(cost.prefill_work(100)));
}

TEST(StepCost, LargerBatchesAreEstimatedFromSmallerOnes) {
  Machine machine;
  StepCost cost(100);
  mixed_steps(cost, machine, 1, 20);
  EXPECT_NEAR(cost.decode_ms(1), 22, 1);
  EXPECT_GT(cost.decode_ms(16), cost.decode_ms(1));
  for (int step = 0; step < 9; ++step) {
    cost.observe({.decodes = 16}, machine.run({.decodes = 16}));
  }
  EXPECT_NEAR(cost.decode_ms(16), 52, 1);
  EXPECT_NEAR(cost.decode_ms(1), 22, 1);
}

}  // namespace
}  // namespace llm::engine
