#include "engine/scheduler.h"

#include <algorithm>

namespace llm::engine {

Scheduler::Scheduler(std::int64_t pages, int max_sequences, std::int64_t max_rows,
                     const models::Rope& rope)
    : pages_(pages),
      max_sequences_(static_cast<std::size_t>(max_sequences)),
      max_rows_(max_rows),
      rope_(rope) {}

void Scheduler::schedule(ScheduledStep& step, std::vector<Sequence*>& started) {
  admit(started);
  step.rows.clear();
  step.page_tables.clear();
  step.sampled.clear();
  const auto missing = [](const Sequence& sequence) {
    return static_cast<std::int64_t>(sequence.tokens.size()) - sequence.computed;
  };
  for (const auto& sequence : running_) {
    const std::int64_t epoch = rope_.epoch(static_cast<std::int64_t>(sequence->tokens.size()));
    if (epoch != sequence->epoch) sequence->computed = 0;
    sequence->epoch = epoch;
  }
  for (const auto& sequence : running_) {
    if (missing(*sequence) == 1) add_rows(step, *sequence, 1);
  }
  for (const auto& sequence : running_) {
    const std::int64_t room = max_rows_ - static_cast<std::int64_t>(step.rows.size());
    if (room <= 0) break;
    if (missing(*sequence) > 1) add_rows(step, *sequence, std::min(room, missing(*sequence)));
  }
}

void Scheduler::admit(std::vector<Sequence*>& started) {
  while (!waiting_.empty() && running_.size() < max_sequences_) {
    Sequence& next = *waiting_.front();
    const std::int64_t positions = next.prompt_length + next.max_tokens;
    // First come, first served: a large request is not overtaken by small ones.
    if (!pages_.allocate(PageAllocator::pages_for(positions), next.pages)) return;
    started.push_back(&next);
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

void Scheduler::add_rows(ScheduledStep& step, Sequence& sequence, std::int64_t count) {
  if (static_cast<std::int64_t>(step.rows.size()) + count > max_rows_) return;
  const auto table = static_cast<std::int32_t>(step.page_tables.size());
  step.page_tables.push_back(sequence.pages.data());
  const auto total = static_cast<std::int64_t>(sequence.tokens.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t position = sequence.computed + i;
    step.rows.push_back({.token = sequence.tokens[static_cast<std::size_t>(position)],
                         .position = position,
                         .sequence = table,
                         .wants_logits = position + 1 == total,
                         .rotary_length = total});
  }
  sequence.computed += count;
  if (sequence.computed == total) step.sampled.push_back(&sequence);
}

std::unique_ptr<Sequence> Scheduler::remove(RequestId id) {
  const auto matches = [id](const std::unique_ptr<Sequence>& s) { return s->id == id; };
  std::unique_ptr<Sequence> found;
  if (const auto it = std::find_if(running_.begin(), running_.end(), matches);
      it != running_.end()) {
    found = std::move(*it);
    running_.erase(it);
    pages_.release(found->pages);
  } else if (const auto queued = std::find_if(waiting_.begin(), waiting_.end(), matches);
             queued != waiting_.end()) {
    found = std::move(*queued);
    waiting_.erase(queued);
  }
  return found;
}

std::vector<RequestId> Scheduler::ids() const {
  std::vector<RequestId> all;
  for (const auto& sequence : running_) all.push_back(sequence->id);
  for (const auto& sequence : waiting_) all.push_back(sequence->id);
  return all;
}

}  // namespace llm::engine
