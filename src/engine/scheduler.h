// Scheduler: decides which rows the next step computes.
//
// Every step holds one row of each decoding sequence, and slices of prompts as large as the gap
// between two tokens of a stream allows (StepCost). Slices go to the client that has waited longest
// for one; of its prompts, in turns to the oldest and to the one nearest to its end.
//
// Requests start in turns between clients (ClientQueue), when there are pages for their prompt; no
// request overtakes the one whose turn it is, so large ones do not starve. Pages are taken as
// sequences grow. When none is left, the request that came last gives all of its pages back and is
// computed again as soon as there is room, before any new one starts: the oldest request is never
// interrupted, so there is always progress, and the work lost is that of who waited least.
//
// Not thread-safe; the engine thread owns it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/block_manager.h"
#include "engine/client_queue.h"
#include "engine/sequence.h"
#include "engine/step_cost.h"
#include "models/batch.h"
#include "models/rope.h"

namespace llm::engine {

/// Consecutive positions of one sequence in a step.
struct StepPart {
  Sequence* sequence = nullptr;
  std::int64_t count = 0;
};

/// A row whose logits are wanted.
struct WantedRow {
  Sequence* sequence = nullptr;
  std::int64_t position = 0;
};

/// A step as the runner executes it; reused from step to step.
struct ScheduledStep {
  std::vector<models::BatchRow> rows;
  std::vector<const std::int32_t*> page_tables;  // one per part
  std::vector<StepPart> parts;
  std::vector<WantedRow> wanted;  // in order of the rows that want logits
  StepLoad load;

  void reserve(std::int64_t max_rows);
  void clear();
};

struct SchedulerOptions {
  int max_sequences = 1;
  std::int64_t max_rows = 1;  ///< of a step; at least max_sequences
  double max_token_gap_ms = 0;
  /// StepWork::cost_per_position.
  double cost_per_position = 0;
};

class Scheduler {
 public:
  using Clock = Sequence::Clock;

  /// `rope` tells when a sequence must be computed again. Both must outlive the scheduler. The
  /// pages are enough for every request alone.
  Scheduler(const SchedulerOptions& options, BlockManager& blocks, const models::Rope& rope);

  /// What part of the gap between two tokens steps may take; the rest is for other engines.
  void set_gap_share(double share) { gap_share_ = share; }

  /// Takes a new request over; leaves it to the caller when there is no memory for that
  /// (bad_alloc).
  void add(std::unique_ptr<Sequence>&& sequence);

  /// Fills the next step; no rows when there is nothing to do. Sequences that run for the first
  /// time are appended to `started`.
  void schedule(ScheduledStep& step, std::vector<Sequence*>& started);
  /// The step's rows are in the cache now.
  void completed(const ScheduledStep& step);
  /// How long it took, for the size of those to come.
  void observe(const ScheduledStep& step, double ms) { cost_.observe(step.load, ms); }

  /// Requests whose deadline has passed, appended to `ids`.
  void find_expired(Clock::time_point now, std::vector<RequestId>& ids);
  /// Takes a sequence out, whatever it is doing, and gives its pages back; null when unknown.
  std::unique_ptr<Sequence> remove(RequestId id);

  const StepCost& cost() const { return cost_; }
  int running() const { return static_cast<int>(running_.size()); }
  int waiting() const { return clients_.waiting(); }
  int preempted() const { return static_cast<int>(preempted_.size()); }
  std::uint64_t preemptions() const { return preemptions_; }
  bool idle() const { return running() + waiting() + preempted() == 0; }
  std::vector<RequestId> running_ids() const;
  std::vector<RequestId> ids() const;  ///< of all sequences

 private:
  using Sequences = std::vector<std::unique_ptr<Sequence>>;  // in order of arrival

  void refresh_epochs();
  void take_pages();
  void preempt_youngest();
  void admit(std::vector<Sequence*>& started);
  bool give_pages(Sequence& sequence);
  void adopt(Sequence& sequence);
  void add_prefills(ScheduledStep& step);
  void order_prefills();
  Sequence* leader_of(const Sequence& sequence) const;
  std::int64_t slice_rows(const Sequence& sequence, double work, std::int64_t room) const;
  void add_rows(ScheduledStep& step, Sequence& sequence, std::int64_t count);
  bool shareable(const Sequence& sequence) const;

  SchedulerOptions options_;
  BlockManager& blocks_;
  const models::Rope& rope_;
  StepCost cost_;
  ClientQueue clients_;
  Sequences running_;
  Sequences preempted_;
  std::vector<Sequence*> prefills_;  // of the step being filled
  double gap_share_ = 1;
  std::uint64_t step_number_ = 0;
  std::uint64_t preemptions_ = 0;
  Clock::time_point next_deadline_ = Clock::time_point::max();
  RequestId blocked_ = 0;               // whose turn it was when there were too few pages
  std::int64_t blocked_available_ = 0;  // how many there were
};

}  // namespace llm::engine
