// Pages of the cache: who has them, who gives them back, and who finds those of others.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "engine/listed_tokens.h"
#include "engine/simulation.h"

namespace llm::engine {
namespace {

// ---- Pages --------------------------------------------------------------------------------------

TEST(Scheduler, PagesAreTakenAsSequencesGrow) {
  Simulation simulation({.pages = 20, .max_sequences = 8});
  // Each could need 10 pages in the end; all of them start at once.
  for (int s = 0; s < 8; ++s) simulation.add({"a", 20, 10 * kPage - 20});
  simulation.step();
  EXPECT_EQ(simulation.scheduler().running(), 8);
  EXPECT_EQ(simulation.blocks().used(), 8);
}

TEST(Scheduler, WithoutPagesTheYoungestGivesItsOwnBackAndIsResumed) {
  for (const bool prefix_cache : {true, false}) {
    Simulation simulation({.pages = 10, .max_sequences = 4, .prefix_cache = prefix_cache});
    std::vector<RequestId> ids;
    for (int s = 0; s < 4; ++s) ids.push_back(simulation.add({"a", 40, 200}));
    simulation.run();
    EXPECT_GT(simulation.scheduler().preemptions(), 0u);
    EXPECT_EQ(simulation.of(ids[0]).preemptions, 0) << "the oldest is never interrupted";
    EXPECT_GT(simulation.of(ids[3]).preemptions, 0);
    for (const RequestId id : ids) {
      EXPECT_EQ(simulation.of(id).tokens, 200);
      EXPECT_EQ(simulation.of(id).admissions, 1) << "it starts once";
    }
    EXPECT_EQ(simulation.ended().front(), ids[0]);
  }
}

TEST(Scheduler, InterruptedRequestsComeBeforeNewOnes) {
  Simulation simulation({.pages = 6, .max_sequences = 3});
  const RequestId first = simulation.add({"a", 30, 150});
  const RequestId second = simulation.add({"a", 30, 150});
  while (simulation.scheduler().preempted() == 0) ASSERT_TRUE(simulation.step());
  EXPECT_EQ(simulation.of(second).end_ms, -1);
  const RequestId third = simulation.add({"b", 10, 10});  // for which there would be a page
  simulation.run();
  EXPECT_GT(simulation.of(third).first_token_ms, simulation.of(first).end_ms);
}

TEST(Scheduler, ALargeRequestIsNotOvertaken) {
  Simulation simulation({.pages = 20, .max_sequences = 8});
  simulation.add({"a", 12 * kPage, 40});
  simulation.step();
  const RequestId large = simulation.add({"b", 15 * kPage, 2});
  std::vector<RequestId> small;
  for (int r = 0; r < 5; ++r) small.push_back(simulation.add({"c", 10, 2}));
  simulation.run();
  EXPECT_EQ(simulation.order()[1], large);
}

TEST(Scheduler, ARequestAsLargeAsTheCacheRunsAlone) {
  Simulation simulation({.pages = 10, .max_sequences = 4});
  const RequestId all = simulation.add({"a", 5 * kPage, 5 * kPage});
  const RequestId other = simulation.add({"b", 5 * kPage, 5 * kPage});
  simulation.run();
  EXPECT_EQ(simulation.of(all).tokens, 5 * kPage);
  EXPECT_EQ(simulation.of(other).tokens, 5 * kPage);
}

TEST(Scheduler, RandomLoadsComeToAnEnd) {
  std::mt19937 random(11);
  for (int round = 0; round < 30; ++round) {
    const auto pick = [&](std::int64_t low, std::int64_t high) {
      return std::uniform_int_distribution<std::int64_t>(low, high)(random);
    };
    Simulation simulation({.pages = pick(8, 40),
                           .max_sequences = static_cast<int>(pick(1, 8)),
                           .max_rows = pick(8, 64),
                           .gap_ms = static_cast<double>(pick(0, 1) * 60),
                           .prefix_cache = pick(0, 1) == 1,
                           .noise = 0.1});
    for (int r = 0; r < 40; ++r) {
      simulation.add({std::string(1, static_cast<char>('a' + pick(0, 3))), pick(1, 150),
                      pick(1, 100), static_cast<std::int32_t>(pick(0, 3))});
      if (pick(0, 2) == 0) simulation.step();
    }
    simulation.run();
    EXPECT_EQ(simulation.ended().size(), 40u);
  }
}

// ---- Prefix cache -------------------------------------------------------------------------------

TEST(Scheduler, ThePromptOfAnEndedRequestIsNotComputedAgain) {
  Simulation simulation({});
  const RequestId first = simulation.add({"a", 100, 2, 7});
  simulation.run();
  const RequestId again = simulation.add({"a", 100, 2, 7});
  simulation.run();
  EXPECT_EQ(simulation.of(first).cached_tokens, 0);
  EXPECT_EQ(simulation.of(again).cached_tokens, 96);
  EXPECT_EQ(simulation.of(again).computed, 100 - 96 + 1);
}

TEST(Scheduler, TheLastTokenIsAlwaysComputed) {
  Simulation simulation({});
  simulation.add({"a", 2 * kPage, 1, 7});
  simulation.run();
  const RequestId again = simulation.add({"a", 2 * kPage, 1, 7});
  simulation.run();
  EXPECT_EQ(simulation.of(again).cached_tokens, kPage);
}

// Equal prompts that arrive together are computed once: the others follow the first.
TEST(Scheduler, EqualPromptsAtOnceAreComputedOnce) {
  for (const double gap_ms : {0.0, 60.0}) {
    Simulation simulation({.max_sequences = 8, .max_rows = 128, .gap_ms = gap_ms});
    simulation.add({"stream", 10, 300});
    for (int step = 0; step < 10; ++step) simulation.step();
    std::int64_t rows = 0;
    std::vector<RequestId> ids;
    for (int r = 0; r < 6; ++r) ids.push_back(simulation.add({std::to_string(r), 1000, 1, 7}));
    simulation.run();
    for (const RequestId id : ids) rows += simulation.of(id).computed;
    // The last 8 tokens do not fill a page: each computes its own.
    EXPECT_LE(rows, 1000 + 5 * 8) << "gap " << gap_ms;
    EXPECT_EQ(simulation.of(ids[5]).cached_tokens, 992);
  }
}

// Who waits for another's pages leaves its turns to it: both advance as fast as both would alone.
TEST(Scheduler, TurnsOfFollowersGoToTheOneThatTheyFollow) {
  Simulation simulation({.max_sequences = 8, .max_rows = 32});
  const RequestId other = simulation.add({"other", 3200, 1});
  simulation.add({"a", 1600, 1, 7});
  simulation.add({"b", 1600, 1, 7});
  const RequestId last = simulation.add({"c", 1600, 1, 7});
  int steps = 0;
  for (; simulation.of(last).first_token_ms < 0; ++steps) ASSERT_TRUE(simulation.step());
  EXPECT_LE(steps, 50 * 4 / 3 + 6) << "three of four turns are for their common prompt";
  EXPECT_LT(simulation.of(other).first_token_ms, 0);
  simulation.run();
}

TEST(Scheduler, WhoFollowsOneThatIsCancelledGoesOnAlone) {
  Simulation simulation({.max_sequences = 4, .max_rows = 32});
  const RequestId first = simulation.add({"a", 1000, 1, 7});
  const RequestId second = simulation.add({"b", 1000, 1, 7});
  for (int step = 0; step < 10; ++step) simulation.step();
  simulation.finish(first);
  simulation.run();
  EXPECT_EQ(simulation.of(second).tokens, 1);
  EXPECT_GE(simulation.of(second).cached_tokens, 32);
}

// ---- Rotary frequencies that change with the length
// ----------------------------------------------

TEST(Scheduler, ANewEpochMeansComputingAgain) {
  models::RopeConfig longrope = {.rotary_dim = 8,
                                 .scaling = models::RopeScaling::longrope,
                                 .factor = 4,
                                 .original_positions = 64,
                                 .long_divisors = std::vector<float>(4, 2.0F)};
  Simulation simulation({.rope = longrope});
  const RequestId id = simulation.add({"a", 60, 20, 7});
  simulation.run();
  // 60 prompt tokens and 19 more, of which the 5th makes it 65 long: those 65 once more.
  EXPECT_EQ(simulation.of(id).computed, 60 + 19 + 64);
  // What was computed short serves a short one, what was computed long a long one.
  const RequestId shorter = simulation.add({"a", 60, 1, 7});
  simulation.run();
  EXPECT_EQ(simulation.of(shorter).cached_tokens, 32);
  const RequestId longer = simulation.add({"a", 100, 1, 7});
  simulation.run();
  EXPECT_EQ(simulation.of(longer).cached_tokens, 32)
      << "the second page held generated tokens, which the prompt does not have";
}

TEST(Scheduler, KeysThatFitOneLengthOnlyAreNotShared) {
  models::RopeConfig dynamic = {.rotary_dim = 8,
                                .scaling = models::RopeScaling::dynamic_ntk,
                                .factor = 2,
                                .original_positions = 64};
  Simulation simulation({.rope = dynamic});
  simulation.add({"a", 100, 3, 7});
  simulation.run();
  EXPECT_EQ(simulation.blocks().cached(), 0);
  const RequestId again = simulation.add({"a", 100, 3, 7});
  simulation.run();
  EXPECT_EQ(simulation.of(again).cached_tokens, 0);
}

}  // namespace
}  // namespace llm::engine
