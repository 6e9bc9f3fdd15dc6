// Who computes what, and when: slices of prompts, turns between clients, deadlines and removal.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "engine/listed_tokens.h"
#include "engine/simulation.h"

namespace llm::engine {
namespace {

// ---- Slices -------------------------------------------------------------------------------------

TEST(Scheduler, RunningStreamsKeepTheirGapWhilePromptsAreProcessed) {
  Simulation simulation({.gap_ms = 100});
  std::vector<RequestId> streams;
  for (int s = 0; s < 3; ++s) streams.push_back(simulation.add({"a", 40, 400}));
  for (int step = 0; step < 30; ++step) simulation.step();
  const RequestId prompt = simulation.add({"b", 5000, 1});
  double longest = 0;
  while (simulation.of(prompt).first_token_ms < 0) {
    ASSERT_TRUE(simulation.step());
    longest = std::max(longest, simulation.planned_ms());
  }
  EXPECT_LE(longest, 101);
  // Of each 100 ms, 13 are for the streams: the prompt gets most of the rest.
  EXPECT_LE(simulation.of(prompt).first_token_ms, 30 * 15 + 5000 / 87.0 * 100 * 1.5);
  simulation.run();
  for (const RequestId id : streams) EXPECT_LE(simulation.of(id).longest_gap_ms, 101);
}

TEST(Scheduler, NoiseLengthensStepsNotPlans) {
  Simulation simulation({.gap_ms = 100, .noise = 0.15});
  simulation.add({"a", 40, 3000});
  for (int step = 0; step < 60; ++step) simulation.step();
  simulation.add({"b", 20000, 1});
  int steps = 0;
  int over = 0;
  for (; steps < 200; ++steps) {
    ASSERT_TRUE(simulation.step());
    over += simulation.planned_ms() > 115 ? 1 : 0;
  }
  EXPECT_LE(over, 4);
}

// Rows far into a sequence cost more: the plan knows, also when they take turns with cheap ones.
TEST(Scheduler, LongContextsGetShorterSlices) {
  Simulation simulation({.gap_ms = 100, .cost_per_position = 1e-3});
  simulation.add({"a", 40, 2000});
  for (int step = 0; step < 30; ++step) simulation.step();
  simulation.add({"b", 12000, 1});
  simulation.add({"c", 12000, 1});
  for (int step = 0; step < 100; ++step) simulation.step();
  simulation.add({"d", 12000, 1});
  for (int step = 0; step < 100; ++step) {
    ASSERT_TRUE(simulation.step());
    EXPECT_LE(simulation.planned_ms(), 110) << step;
  }
}

TEST(Scheduler, HoweverDearAPositionThereIsProgress) {
  Simulation simulation({.gap_ms = 10, .cost_per_position = 1});
  simulation.add({"a", 4, 300});
  const RequestId prompt = simulation.add({"b", 200, 1});
  simulation.run();
  EXPECT_EQ(simulation.of(prompt).tokens, 1);
}

TEST(Scheduler, WithoutALimitSlicesFillTheStep) {
  Simulation simulation({.max_rows = 128});
  simulation.add({"a", 1000, 1});
  simulation.step();
  EXPECT_EQ(simulation.last().rows.size(), 128u);
}

TEST(Scheduler, EveryDecodingSequenceIsInEveryStep) {
  Simulation simulation({.max_sequences = 8, .max_rows = 8});
  for (int s = 0; s < 8; ++s) simulation.add({"a", 3, 50});
  while (simulation.last().load.decodes < 8) ASSERT_TRUE(simulation.step());
  simulation.run();
  for (RequestId id = 1; id <= 8; ++id) EXPECT_EQ(simulation.of(id).tokens, 50);
}

// ---- Clients ------------------------------------------------------------------------------------

TEST(Scheduler, RequestsStartInTurnsBetweenClients) {
  Simulation simulation({.max_sequences = 1});
  for (int r = 0; r < 4; ++r) simulation.add({"a", 4, 2});  // 1..4
  for (int r = 0; r < 2; ++r) simulation.add({"b", 4, 2});  // 5, 6
  simulation.add({"c", 4, 2});                              // 7
  simulation.run();
  EXPECT_EQ(simulation.order(), (std::vector<RequestId>{1, 5, 7, 2, 6, 3, 4}));
}

TEST(Scheduler, AClientWithManyRequestsDelaysAnotherByOneAtMost) {
  Simulation simulation({.max_sequences = 2});
  for (int r = 0; r < 100; ++r) simulation.add({"flood", 50, 20});
  for (int step = 0; step < 5; ++step) simulation.step();
  const RequestId other = simulation.add({"other", 5, 2});
  simulation.run();
  const auto place = std::find(simulation.order().begin(), simulation.order().end(), other) -
                     simulation.order().begin();
  EXPECT_LE(place, 3) << "two ran already, one had its turn";
}

TEST(Scheduler, SlicesOfPromptsTakeTurnsBetweenClients) {
  Simulation simulation({.max_sequences = 4, .max_rows = 32});
  simulation.add({"a", 3200, 1});
  simulation.add({"a", 3200, 1});
  simulation.add({"a", 3200, 1});
  const RequestId other = simulation.add({"b", 320, 1});
  int steps = 0;
  while (simulation.of(other).first_token_ms < 0) {
    ASSERT_TRUE(simulation.step());
    ++steps;
  }
  EXPECT_LE(steps, 2 * 10 + 1) << "half of the steps are its own";
}

TEST(Scheduler, AShortPromptDoesNotWaitForALongOneOfTheSameClient) {
  Simulation simulation({.max_sequences = 4, .max_rows = 32});
  const RequestId large = simulation.add({"a", 6400, 1});
  for (int step = 0; step < 3; ++step) simulation.step();
  const RequestId small = simulation.add({"a", 64, 1});
  int steps = 0;
  while (simulation.of(small).first_token_ms < 0) {
    ASSERT_TRUE(simulation.step());
    ++steps;
  }
  EXPECT_LE(steps, 5);
  // And a stream of short ones does not stop the long one.
  for (int r = 0; r < 2000 && simulation.of(large).first_token_ms < 0; ++r) {
    simulation.add({"a", 64, 1});
    for (int step = 0; step < 2; ++step) simulation.step();
  }
  EXPECT_GT(simulation.of(large).first_token_ms, 0);
}

TEST(Scheduler, NewClientsWithoutEndDoNotStarveAnOldOne) {
  Simulation simulation({.max_sequences = 1});
  simulation.add({"old", 4, 2});
  const RequestId second = simulation.add({"old", 4, 2});
  for (int r = 0; r < 50; ++r) {
    for (int n = 0; n < 3; ++n) {  // more than can be served meanwhile
      simulation.add({"new " + std::to_string(r) + " " + std::to_string(n), 4, 2});
    }
    for (int step = 0; step < 4; ++step) simulation.step();
  }
  EXPECT_EQ(simulation.of(second).admissions, 1);
}

// ---- Deadlines and removal ----------------------------------------------------------------------

TEST(Scheduler, DeadlinesAreFoundInEveryState) {
  Simulation simulation({.pages = 10, .max_sequences = 2, .max_rows = 16});
  const RequestId decoding = simulation.add({"a", 4, 1000, 0, 500});
  const RequestId prefilling = simulation.add({"a", 9 * 16, 1, 0, 100});
  const RequestId queued = simulation.add({"a", 4, 1, 0, 40});
  const RequestId patient = simulation.add({"a", 4, 1});
  simulation.run();
  EXPECT_EQ(simulation.of(queued).admissions, 0);
  EXPECT_GE(simulation.of(queued).end_ms, 40);
  EXPECT_LE(simulation.of(queued).end_ms, 80);
  EXPECT_EQ(simulation.of(prefilling).tokens, 0);
  EXPECT_LE(simulation.of(prefilling).end_ms, 140);
  EXPECT_GT(simulation.of(decoding).tokens, 5);
  EXPECT_LE(simulation.of(decoding).end_ms, 540);
  EXPECT_EQ(simulation.of(patient).tokens, 1);
}

TEST(Scheduler, RemovalInAnyStateGivesEverythingBack) {
  Simulation simulation({.pages = 10, .max_sequences = 2, .max_rows = 16});
  const RequestId decoding = simulation.add({"a", 40, 1000});
  const RequestId prefilling = simulation.add({"b", 100, 1});
  const RequestId queued = simulation.add({"c", 4, 1});
  while (simulation.of(decoding).tokens < 3) ASSERT_TRUE(simulation.step());
  EXPECT_EQ(simulation.of(prefilling).tokens, 0);
  for (const RequestId id : {queued, prefilling, decoding}) simulation.finish(id);
  EXPECT_EQ(simulation.blocks().used(), 0);
  EXPECT_TRUE(simulation.scheduler().idle());
  EXPECT_FALSE(simulation.step());
  EXPECT_EQ(simulation.scheduler().remove(decoding), nullptr);
}

}  // namespace
}  // namespace llm::engine
