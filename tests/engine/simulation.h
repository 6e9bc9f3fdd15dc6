// A simulation of steps with a clock of its own, through which the scheduler's tests see who
// computes what, and when.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "engine/listed_tokens.h"
#include "engine/scheduler.h"

namespace llm::engine {

inline constexpr std::int64_t kPage = kernels::kKvPageTokens;

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

}  // namespace llm::engine
