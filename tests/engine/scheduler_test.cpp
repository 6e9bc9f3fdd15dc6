// Who computes what, and when: seen through a simulation of steps with a clock of its own.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "engine/listed_tokens.h"

namespace llm::engine {
namespace {

constexpr std::int64_t kPage = kernels::kKvPageTokens;

struct Request {
  std::string client;
  std::int64_t prompt = 1;
  std::int64_t max_tokens = 1;
  std::int32_t text = 0;  // equal for prompts that begin alike; 0: unlike any other
  double timeout_ms = 0;
};

struct Outcome {
  int admissions = 0;
  std::int64_t tokens = 0;
  double first_token_ms = -1;
  double end_ms = -1;
  double longest_gap_ms = 0;  // between two of its tokens
  std::int64_t preemptions = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t computed = 0;  // rows
};

struct SimulationOptions {
  std::int64_t pages = 1000;
  int max_sequences = 8;
  std::int64_t max_rows = 512;
  double gap_ms = 0;
  bool prefix_cache = true;
  models::RopeConfig rope = {.rotary_dim = 8};
  // What a step takes.
  double base_ms = 10;
  double decode_ms = 1;
  double prefill_ms = 1;
  double cost_per_position = 0;
  double noise = 0;  // share of steps that take five times as long
};

// Runs sequences that generate one token after the other until they have all.
class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options),
        rope_(options.rope),
        blocks_(options.pages, options.prefix_cache),
        scheduler_({.max_sequences = options.max_sequences,
                    .max_rows = options.max_rows,
                    .max_token_gap_ms = options.gap_ms,
                    .cost_per_position = options.cost_per_position},
                   blocks_, rope_) {}

  RequestId add(const Request& request) {
    const RequestId id = ++last_id_;
    auto sequence =
        std::make_unique<Sequence>(id, std::move(sampling::Sampler::create({}, 1 << 20)).value(),
                                   TextStream(tokenizer_, {}, true));
    sequence->client_key = request.client;
    sequence->prompt_length = request.prompt;
    sequence->max_tokens = request.max_tokens;
    const auto text = request.text > 0 ? request.text : 1000 + static_cast<std::int32_t>(id);
    for (std::int64_t t = 0; t < request.prompt; ++t) {
      sequence->tokens.push_back(text * 1000 + static_cast<std::int32_t>(t % 999));
    }
    if (request.timeout_ms > 0) sequence->deadline = at(now_ms_ + request.timeout_ms);
    scheduler_.add(std::move(sequence));
    outcomes_[id];
    return id;
  }

  // False when there was nothing to do.
  bool step() {
    std::vector<RequestId> expired;
    scheduler_.find_expired(at(now_ms_), expired);
    for (const RequestId id : expired) finish(id);
    started_.clear();
    scheduler_.schedule(step_, started_);
    check_step();
    for (const Sequence* sequence : started_) {
      ++outcomes_[sequence->id].admissions;
      order_.push_back(sequence->id);
    }
    if (step_.rows.empty()) return false;
    double ms = options_.base_ms + options_.decode_ms * static_cast<double>(step_.load.decodes) +
                options_.prefill_ms * step_.load.prefill_work;
    planned_ms_ = ms;
    if (std::uniform_real_distribution<double>()(random_) < options_.noise) ms *= 5;
    now_ms_ += ms;
    scheduler_.completed(step_);
    scheduler_.observe(step_, ms);
    for (const StepPart& part : step_.parts) outcomes_[part.sequence->id].computed += part.count;
    for (const WantedRow& row : step_.wanted) take_token(*row.sequence);
    return true;
  }

  void run() {
    for (int steps = 0; step(); ++steps) ASSERT_LT(steps, 200000) << "no end in sight";
    EXPECT_TRUE(scheduler_.idle());
    EXPECT_EQ(blocks_.used(), 0);
  }

  void finish(RequestId id) {
    const auto sequence = scheduler_.remove(id);
    ASSERT_NE(sequence, nullptr);
    Outcome& outcome = outcomes_[id];
    outcome.end_ms = now_ms_;
    outcome.preemptions = sequence->preemptions;
    outcome.cached_tokens = sequence->cached_tokens;
    ended_.push_back(id);
  }

  const Outcome& of(RequestId id) { return outcomes_[id]; }
  const std::vector<RequestId>& order() const { return order_; }  // of admission
  const std::vector<RequestId>& ended() const { return ended_; }
  double now_ms() const { return now_ms_; }
  double planned_ms() const { return planned_ms_; }  // of the last step, without noise
  const ScheduledStep& last() const { return step_; }
  Scheduler& scheduler() { return scheduler_; }
  BlockManager& blocks() { return blocks_; }

 private:
  static Sequence::Clock::time_point at(double ms) {
    return Sequence::Clock::time_point(
        std::chrono::microseconds(static_cast<std::int64_t>(ms * 1000)));
  }

  // What the model may rely on.
  void check_step() {
    ASSERT_LE(static_cast<std::int64_t>(step_.rows.size()), options_.max_rows);
    std::int64_t counted = 0;
    for (std::size_t p = 0; p < step_.parts.size(); ++p) {
      const Sequence& sequence = *step_.parts[p].sequence;
      const auto pages = static_cast<std::int64_t>(sequence.table.pages.size());
      ASSERT_GE(pages * kPage, sequence.computed + step_.parts[p].count);
      for (std::int64_t i = 0; i < step_.parts[p].count; ++i, ++counted) {
        const models::BatchRow& row = step_.rows[static_cast<std::size_t>(counted)];
        ASSERT_EQ(row.sequence, static_cast<std::int32_t>(p));
        ASSERT_EQ(row.position, sequence.computed + i);
      }
    }
    ASSERT_EQ(counted, static_cast<std::int64_t>(step_.rows.size()));
    ASSERT_LE(scheduler_.running(), options_.max_sequences);
  }

  void take_token(Sequence& sequence) {
    Outcome& outcome = outcomes_[sequence.id];
    if (outcome.tokens++ == 0) {
      outcome.first_token_ms = now_ms_;
    } else {
      outcome.longest_gap_ms = std::max(outcome.longest_gap_ms, now_ms_ - last_token_[sequence.id]);
    }
    last_token_[sequence.id] = now_ms_;
    sequence.tokens.push_back(static_cast<std::int32_t>(sequence.id * 100000) +
                              static_cast<std::int32_t>(outcome.tokens));
    if (sequence.generated() >= sequence.max_tokens) finish(sequence.id);
  }

  const SimulationOptions options_;
  ListedTokens tokenizer_{{}};  // scheduling looks at ids alone
  models::Rope rope_;
  BlockManager blocks_;
  Scheduler scheduler_;
  ScheduledStep step_;
  std::vector<Sequence*> started_;
  std::map<RequestId, Outcome> outcomes_;
  std::map<RequestId, double> last_token_;
  std::vector<RequestId> order_;
  std::vector<RequestId> ended_;
  std::mt19937 random_{3};
  RequestId last_id_ = 0;
  double now_ms_ = 0;
  double planned_ms_ = 0;
};

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
