// Scheduler: decides which rows the next step computes. Sequences are admitted in order of arrival
// when the KV pages that they can need at most are free, so a running sequence never runs out of
// them. A step holds one row of every decoding sequence, and fills up with slices of the prompts
// being prefilled, oldest first. Not thread-safe; the engine thread owns it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "engine/page_allocator.h"
#include "engine/sequence.h"
#include "models/batch.h"
#include "models/rope.h"

namespace llm::engine {

/// A step as the runner executes it; reused from step to step.
struct ScheduledStep {
  std::vector<models::BatchRow> rows;
  std::vector<const std::int32_t*> page_tables;
  /// The sequences whose next token is sampled, in the order of the rows that want logits.
  std::vector<Sequence*> sampled;
};

class Scheduler {
 public:
  /// `rope` tells when a sequence must be computed again; it must outlive the scheduler.
  Scheduler(std::int64_t pages, int max_sequences, std::int64_t max_rows, const models::Rope& rope);

  void add(std::unique_ptr<Sequence> sequence) { waiting_.push_back(std::move(sequence)); }

  /// Fills the next step; no rows when there is nothing to do. Sequences that start running with
  /// this step are appended to `started`.
  void schedule(ScheduledStep& step, std::vector<Sequence*>& started);

  /// Takes a sequence out, running or waiting, and frees its pages; null when unknown.
  std::unique_ptr<Sequence> remove(RequestId id);

  PageAllocator& pages() { return pages_; }
  int running() const { return static_cast<int>(running_.size()); }
  int waiting() const { return static_cast<int>(waiting_.size()); }
  bool idle() const { return running_.empty() && waiting_.empty(); }
  std::vector<RequestId> ids() const;

 private:
  void admit(std::vector<Sequence*>& started);
  void add_rows(ScheduledStep& step, Sequence& sequence, std::int64_t count);

  PageAllocator pages_;
  std::size_t max_sequences_;
  std::int64_t max_rows_;
  const models::Rope& rope_;
  std::deque<std::unique_ptr<Sequence>> waiting_;
  std::vector<std::unique_ptr<Sequence>> running_;  // in order of admission
};

}  // namespace llm::engine
