#include "engine/scheduler.h"

#include <algorithm>
#include <tuple>

#include "core/check.h"

namespace llm::engine {
namespace {

constexpr std::int64_t kPage = kernels::kKvPageTokens;

template <class Sequences>
void insert_by_arrival(Sequences& sequences, std::unique_ptr<Sequence> sequence) {
  const auto place =
      std::upper_bound(sequences.begin(), sequences.end(), sequence->id,
                       [](RequestId id, const auto& other) { return id < other->id; });
  sequences.insert(place, std::move(sequence));
}

template <class Sequences>
std::unique_ptr<Sequence> take_out(Sequences& sequences, RequestId id) {
  const auto found = std::find_if(sequences.begin(), sequences.end(),
                                  [id](const auto& sequence) { return sequence->id == id; });
  if (found == sequences.end()) return nullptr;
  std::unique_ptr<Sequence> taken = std::move(*found);
  sequences.erase(found);
  return taken;
}

}  // namespace

void ScheduledStep::reserve(std::int64_t max_rows) {
  const auto most = static_cast<std::size_t>(max_rows);
  rows.reserve(most);
  page_tables.reserve(most);
  parts.reserve(most);
  wanted.reserve(most);
}

void ScheduledStep::clear() {
  rows.clear();
  page_tables.clear();
  parts.clear();
  wanted.clear();
  load = {};
}

Scheduler::Scheduler(const SchedulerOptions& options, BlockManager& blocks,
                     const models::Rope& rope)
    : options_(options), blocks_(blocks), rope_(rope), cost_(options.max_token_gap_ms) {
  LLM_CHECK(options.max_sequences >= 1 && options.max_rows >= options.max_sequences);
  // No new request starts while an interrupted one waits, so both together hold so many at most.
  for (Sequences* list : {&running_, &preempted_}) {
    list->reserve(static_cast<std::size_t>(options.max_sequences));
  }
  prefills_.reserve(static_cast<std::size_t>(options.max_sequences));
}

void Scheduler::add(std::unique_ptr<Sequence>&& sequence) {
  next_deadline_ = std::min(next_deadline_, sequence->deadline);
  clients_.add(std::move(sequence));
}

void Scheduler::schedule(ScheduledStep& step, std::vector<Sequence*>& started) {
  step.clear();
  ++step_number_;
  refresh_epochs();
  take_pages();
  admit(started);
  for (const auto& sequence : running_) {
    if (sequence->missing() != 1) continue;
    add_rows(step, *sequence, 1);
    ++step.load.decodes;
  }
  add_prefills(step);
}

// Whether keys and values computed now are those of any sequence that begins alike, and not only of
// one that is as long.
bool Scheduler::shareable(const Sequence& sequence) const {
  return rope_.epoch(sequence.length() + 1) == sequence.epoch;
}

void Scheduler::refresh_epochs() {
  for (const auto& sequence : running_) {
    const std::int64_t epoch = rope_.epoch(sequence->length());
    if (epoch == sequence->epoch) continue;
    blocks_.release(sequence->table);
    blocks_.begin(sequence->table, epoch);
    sequence->epoch = epoch;
    sequence->computed = 0;
  }
}

void Scheduler::take_pages() {
  for (std::size_t i = 0; i < running_.size(); ++i) {
    while (i < running_.size() && !blocks_.grow(running_[i]->table, running_[i]->length())) {
      preempt_youngest();
    }
  }
}

void Scheduler::preempt_youngest() {
  std::unique_ptr<Sequence> youngest = std::move(running_.back());
  running_.pop_back();
  blocks_.release(youngest->table);
  youngest->computed = 0;
  ++youngest->preemptions;
  ++preemptions_;
  insert_by_arrival(preempted_, std::move(youngest));
}

void Scheduler::admit(std::vector<Sequence*>& started) {
  while (running() < options_.max_sequences) {
    const bool resume = !preempted_.empty();
    Sequence* next = resume ? preempted_.front().get() : clients_.next();
    if (next == nullptr || !give_pages(*next)) return;
    std::unique_ptr<Sequence> taken =
        resume ? take_out(preempted_, next->id) : clients_.take_next();
    if (!resume) started.push_back(next);
    insert_by_arrival(running_, std::move(taken));
  }
}

// Pages for all of its tokens, known ones where there are; one more is left for each sequence that
// runs, so that it does not have to be interrupted at once.
bool Scheduler::give_pages(Sequence& sequence) {
  if (blocked_ == sequence.id && blocks_.available() <= blocked_available_) return false;
  sequence.epoch = rope_.epoch(sequence.length());
  blocks_.begin(sequence.table, sequence.epoch);
  adopt(sequence);
  const std::int64_t needed = BlockManager::pages_for(sequence.length()) -
                              static_cast<std::int64_t>(sequence.table.pages.size());
  if (needed + running() <= blocks_.available() &&
      blocks_.grow(sequence.table, sequence.length())) {
    blocked_ = 0;
    return true;
  }
  blocks_.release(sequence.table);
  if (sequence.preemptions == 0) sequence.cached_tokens = 0;
  sequence.computed = 0;
  blocked_ = sequence.id;
  blocked_available_ = blocks_.available();
  return false;
}

void Scheduler::adopt(Sequence& sequence) {
  if (sequence.computed != sequence.table.indexed * kPage) return;
  const std::int64_t pages = blocks_.adopt(sequence.table, sequence.tokens, sequence.reusable());
  sequence.computed += pages * kPage;
  // What a sequence finds again after an interruption is not a hit of its prompt.
  if (sequence.preemptions == 0 && sequence.generated() == 0) {
    sequence.cached_tokens += pages * kPage;
  }
}

void Scheduler::add_prefills(ScheduledStep& step) {
  order_prefills();
  double work = cost_.prefill_work(step.load.decodes, gap_share_);
  for (Sequence* turn : prefills_) {
    const std::int64_t room = options_.max_rows - static_cast<std::int64_t>(step.rows.size());
    if (room <= 0) break;
    adopt(*turn);  // what others have computed meanwhile
    // Its turn is worth most to whoever computes what it needs next.
    Sequence* sequence = turn;
    while (Sequence* leader = leader_of(*sequence)) sequence = leader;
    if (sequence->last_step == step_number_) continue;
    std::int64_t count = slice_rows(*sequence, work, room);
    if (count == 0 && step.load.prefills > 0) break;
    count = std::max<std::int64_t>(count, 1);  // however dear: there is always progress
    const double middle = static_cast<double>(sequence->computed) + static_cast<double>(count) / 2;
    const double cost = static_cast<double>(count) * (1 + options_.cost_per_position * middle);
    add_rows(step, *sequence, count);
    step.load.prefills += count;
    step.load.prefill_work += cost;
    work -= cost;
    turn->client->last_slice = step_number_;
    ++turn->client->slices;
  }
}

// The client that has waited longest for a slice comes first. Of its prompts, the oldest and the
// one with the fewest tokens left lead in turns: short prompts do not wait for a long one to be
// done, and the long one advances all the same.
void Scheduler::order_prefills() {
  prefills_.clear();
  for (const auto& sequence : running_) {
    if (sequence->missing() > 1) prefills_.push_back(sequence.get());
  }
  const auto key = [](const Sequence& sequence) {
    const Client& client = *sequence.client;
    const std::int64_t left = client.slices % 2 == 0 ? 0 : sequence.missing();
    return std::tuple(client.last_slice, client.number, left, sequence.id);
  };
  std::sort(prefills_.begin(), prefills_.end(),
            [&](const Sequence* a, const Sequence* b) { return key(*a) < key(*b); });
}

// An older sequence that is about to compute the very page that this one needs next, which is then
// worth waiting for; or null. The oldest follows nobody, so somebody always computes.
Sequence* Scheduler::leader_of(const Sequence& sequence) const {
  if (!blocks_.prefix_cache()) return nullptr;
  const std::int64_t begin = sequence.table.indexed * kPage;
  const std::int64_t end = begin + kPage;
  if (end > sequence.reusable()) return nullptr;
  for (const auto& other : running_) {
    if (other->id >= sequence.id) return nullptr;
    if (other->table.prefix != sequence.table.prefix || other->length() < end ||
        !shareable(*other)) {
      continue;
    }
    if (std::equal(other->tokens.begin() + begin, other->tokens.begin() + end,
                   sequence.tokens.begin() + begin)) {
      return other.get();
    }
  }
  return nullptr;
}

std::int64_t Scheduler::slice_rows(const Sequence& sequence, double work, std::int64_t room) const {
  room = std::min(room, sequence.missing());
  // A row costs 1 + a * position; twice towards the position in the middle of the slice.
  const double a = options_.cost_per_position;
  const auto first = static_cast<double>(sequence.computed);
  const double at_first = work / (1 + a * first);
  const double rows = work / (1 + a * (first + at_first / 2));
  if (!(rows < static_cast<double>(room))) return room;
  const auto count = static_cast<std::int64_t>(rows);
  // Slices that end with a page make it known to others at once.
  const std::int64_t aligned = (sequence.computed + count) / kPage * kPage - sequence.computed;
  return aligned > 0 ? aligned : count;
}

void Scheduler::add_rows(ScheduledStep& step, Sequence& sequence, std::int64_t count) {
  const auto table = static_cast<std::int32_t>(step.page_tables.size());
  step.page_tables.push_back(sequence.table.pages.data());
  step.parts.push_back({&sequence, count});
  sequence.last_step = step_number_;
  const std::int64_t total = sequence.length();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t position = sequence.computed + i;
    const bool wanted = position + 1 == total || sequence.reports_prompt(position);
    step.rows.push_back({.token = sequence.tokens[static_cast<std::size_t>(position)],
                         .position = position,
                         .sequence = table,
                         .wants_logits = wanted,
                         .rotary_length = total});
    if (wanted) step.wanted.push_back({&sequence, position});
  }
}

void Scheduler::completed(const ScheduledStep& step) {
  for (const StepPart& part : step.parts) {
    Sequence& sequence = *part.sequence;
    if (sequence.ended) continue;
    sequence.computed += part.count;
    if (shareable(sequence)) blocks_.publish(sequence.table, sequence.tokens, sequence.computed);
  }
}

void Scheduler::find_expired(Clock::time_point now, std::vector<RequestId>& ids) {
  if (now < next_deadline_) return;
  next_deadline_ = Clock::time_point::max();
  const auto look = [&](const Sequence& sequence) {
    if (sequence.deadline <= now) {
      ids.push_back(sequence.id);
    } else {
      next_deadline_ = std::min(next_deadline_, sequence.deadline);
    }
  };
  for (const auto& sequence : running_) look(*sequence);
  for (const auto& sequence : preempted_) look(*sequence);
  clients_.for_each_waiting(look);
}

std::unique_ptr<Sequence> Scheduler::remove(RequestId id) {
  std::unique_ptr<Sequence> removed = take_out(running_, id);
  if (removed) blocks_.release(removed->table);
  if (!removed) removed = take_out(preempted_, id);
  if (removed) {
    clients_.leave(*removed);
    return removed;
  }
  return clients_.remove(id);
}

std::vector<RequestId> Scheduler::running_ids() const {
  std::vector<RequestId> ids;
  for (const auto& sequence : running_) ids.push_back(sequence->id);
  return ids;
}

std::vector<RequestId> Scheduler::ids() const {
  std::vector<RequestId> ids = running_ids();
  for (const auto& sequence : preempted_) ids.push_back(sequence->id);
  clients_.for_each_waiting([&](const Sequence& sequence) { ids.push_back(sequence.id); });
  return ids;
}

}  // namespace llm::engine
