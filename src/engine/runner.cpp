#include "engine/runner.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "engine/guarded.h"
#include "models/sequence_run.h"

namespace llm::engine {
namespace {

// One step may fail because memory ran out for a moment. This many in a row are no accident.
constexpr int kMostFailuresInARow = 3;

double seconds(Sequence::Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

double milliseconds(Sequence::Clock::duration time) { return 1000 * seconds(time); }

template <class Tell>
Status tell(Tell tell) {
  return guarded("the observer of the request failed", [&]() -> Status {
    tell();
    return {};
  });
}

std::string_view state_of(const Sequence& sequence) {
  if (!sequence.has_started()) return "in the queue";
  return sequence.generated() == 0 ? "before the first token" : "while generating";
}

}  // namespace

Runner::Runner(models::Decoder& decoder, const tokenizer::Tokenizer& tokenizer,
               const EosTokens& eos, const StepWork& work, BlockManager& blocks,
               Scheduler& scheduler, RowChoices& choices, std::atomic<int>& in_flight,
               RunnerHooks hooks)
    : decoder_(decoder),
      tokenizer_(tokenizer),
      eos_(eos),
      work_(work),
      blocks_(blocks),
      scheduler_(scheduler),
      choices_(choices),
      in_flight_(in_flight),
      hooks_(std::move(hooks)) {
  // A step then allocates nothing, and every sequence in it can end without running out of memory.
  step_.reserve(decoder.max_rows());
  started_.reserve(static_cast<std::size_t>(decoder.max_rows()));
  ended_.reserve(static_cast<std::size_t>(decoder.max_rows()));
}

void Runner::add(std::unique_ptr<Sequence> sequence) {
  Status status = failure_;
  if (status.ok()) {
    status = guarded("queueing a request", [&]() -> Status {
      scheduler_.add(std::move(sequence));
      return {};
    });
  }
  if (!status.ok()) finish(std::move(sequence), StopReason::error, status);
}

bool Runner::step() {
  if (!failure_.ok()) return false;
  step_.clear();
  const Status status = guarded("step", [&] { return run_step(); });
  if (!status.ok()) fail_step(status);
  in_step_ = false;
  ended_.clear();
  return !step_.rows.empty();
}

Status Runner::run_step() {
  const Clock::time_point begin = hooks_.now();
  end_expired();
  started_.clear();
  in_step_ = true;
  scheduler_.schedule(step_, started_);
  for (Sequence* sequence : started_) start(*sequence);
  if (step_.rows.empty()) return {};
  const models::Batch batch{step_.rows, step_.page_tables};
  if (hooks_.before_forward) LLM_RETURN_IF_ERROR(hooks_.before_forward(batch));
  LLM_RETURN_IF_ERROR(decoder_.forward(batch));
  scheduler_.completed(step_);
  failures_in_a_row_ = 0;
  LLM_RETURN_IF_ERROR(sample());
  const Clock::time_point end = hooks_.now();
  scheduler_.observe(step_, milliseconds(end - begin));
  count_step(begin, end);
  return {};
}

// The sequences of the step have lost it; the others have not been touched.
void Runner::fail_step(const Status& error) {
  ++totals_.failed_steps;
  core::log(core::LogLevel::error, "step failed: {}", error.message());
  if (++failures_in_a_row_ >= kMostFailuresInARow) return give_up(error);
  if (step_.parts.empty()) {  // not even scheduled
    for (const RequestId id : scheduler_.running_ids()) end(id, StopReason::error, error);
  }
  for (const StepPart& part : step_.parts) {
    if (!part.sequence->ended) end(part.sequence->id, StopReason::error, error);
  }
}

void Runner::give_up(const Status& error) {
  if (!failure_.ok()) return;
  failure_ = error.with_prefix("the engine has failed");
  core::log(core::LogLevel::error, "{}", failure_.message());
  end_all(StopReason::error, failure_);
}

void Runner::end_expired() {
  expired_.clear();
  scheduler_.find_expired(hooks_.now(), expired_);
  totals_.timeouts += expired_.size();
  for (const RequestId id : expired_)
    end(id, StopReason::error, {StatusCode::deadline_exceeded, {}});
}

void Runner::start(Sequence& sequence) {
  sequence.started = hooks_.now();
  totals_.prompt_tokens += static_cast<std::uint64_t>(sequence.prompt_length);
  const Status told = tell([&] {
    sequence.observer->on_start({.prompt_tokens = sequence.prompt_length,
                                 .max_tokens = sequence.max_tokens,
                                 .sampling = sequence.sampler.params(),
                                 .cached_tokens = sequence.cached_tokens});
    if (sequence.prompt_logprobs) {
      report_prompt_token(sequence, {.index = 0, .id = sequence.tokens[0]});
    }
  });
  if (!told.ok()) end(sequence.id, StopReason::error, told);
}

Status Runner::sample() {
  const std::int64_t wanted = decoder_.wanted_rows();
  for (std::int64_t first = 0; first < wanted; first += decoder_.max_logit_rows()) {
    const std::int64_t count = std::min(decoder_.max_logit_rows(), wanted - first);
    const auto rows =
        std::span<const WantedRow>(step_.wanted)
            .subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    const std::span<const float> logits = decoder_.logits(first, count);
    LLM_ASSIGN_OR_RETURN(const std::span<RowChoice> choices, choices_.compute(rows, logits));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      Sequence& sequence = *rows[row].sequence;
      if (sequence.ended) continue;
      const Status status = guarded("choosing a token", [&]() -> Status {
        return take_choice(sequence, rows[row].position, choices[row]);
      });
      if (!status.ok()) end(sequence.id, StopReason::error, status);
    }
  }
  return {};
}

Status Runner::take_choice(Sequence& sequence, std::int64_t position, const RowChoice& choice) {
  LLM_RETURN_IF_ERROR(choice.status);
  TokenEvent event;
  event.id = choice.token;
  if (choice.logprobs) add_logprobs(*choice.logprobs, event);
  if (choice.kind == RowChoice::Kind::next_token) {
    take_token(sequence, std::move(event), choice.ends);
  } else if (choice.kind == RowChoice::Kind::prompt_token) {
    event.index = position + 1;
    return tell([&] { report_prompt_token(sequence, std::move(event)); });
  }
  return {};
}

void Runner::report_prompt_token(Sequence& sequence, TokenEvent event) {
  event.text = sequence.prompt_text->push(event.id);
  if (event.index + 1 == sequence.prompt_length) event.text += sequence.prompt_text->finish();
  sequence.prompt_reported = event.index + 1;
  sequence.observer->on_prompt_token(event);
}

void Runner::take_token(Sequence& sequence, TokenEvent event, bool ends) {
  count_token(sequence);
  if (ends) return end(sequence.id, StopReason::eos, {});
  event.index = sequence.generated();
  ++totals_.generated_tokens;
  sequence.tokens.push_back(event.id);
  released_.clear();
  const bool may_stop = sequence.generated() >= sequence.min_tokens;
  const bool stopped = sequence.text.push(std::move(event), may_stop, released_);
  const Status told = tell([&] { deliver(sequence, released_); });
  if (!told.ok()) return end(sequence.id, StopReason::error, told);
  if (stopped) return end(sequence.id, StopReason::stop_sequence, {});
  if (sequence.generated() >= sequence.max_tokens) end(sequence.id, StopReason::max_tokens, {});
}

void Runner::add_logprobs(const sampling::TokenLogprobs& found, TokenEvent& event) const {
  const auto describe = [&](const sampling::Logprob& entry) {
    const bool known = entry.id < tokenizer_.vocab_size();
    return TokenLogprob{entry.id, known ? tokenizer_.token_bytes(entry.id) : std::string(),
                        entry.logprob};
  };
  event.logprob = describe(found.chosen);
  for (const sampling::Logprob& entry : found.alternatives) {
    event.alternatives.push_back(describe(entry));
  }
}

// A token has been chosen: it is the first, or some time has passed since the one before.
void Runner::count_token(Sequence& sequence) {
  const Clock::time_point now = hooks_.now();
  if (sequence.generated() == 0) {
    sequence.first_token = now;
    totals_.first_token.add(seconds(now - sequence.submitted));
    totals_.cached_tokens += static_cast<std::uint64_t>(sequence.cached_tokens);
  } else {
    totals_.token_gap.add(seconds(now - sequence.last_token));
  }
  sequence.last_token = now;
}

void Runner::count_step(Clock::time_point begin, Clock::time_point end) {
  const auto rows = static_cast<std::int64_t>(step_.rows.size());
  ++totals_.steps;
  totals_.computed_tokens += static_cast<std::uint64_t>(rows);
  totals_.step_seconds += seconds(end - begin);
  if (step_.load.prefills > 0) return;
  totals_.decode_seconds += seconds(end - begin);
  totals_.decode_bytes += work_.weight_bytes(rows, true);
  for (const models::BatchRow& row : step_.rows) {
    totals_.decode_bytes += work_.cache_bytes(row.position + 1);
  }
}

void Runner::deliver(Sequence& sequence, std::vector<TokenEvent>& events) {
  for (const TokenEvent& event : events) {
    sequence.observer->on_token(event);
    ++sequence.delivered;
  }
  events.clear();
}

void Runner::end(RequestId id, StopReason reason, const Status& error) {
  std::unique_ptr<Sequence> sequence = scheduler_.remove(id);
  if (sequence) finish(std::move(sequence), reason, error);
}

void Runner::finish(std::unique_ptr<Sequence> owned, StopReason reason, const Status& error) {
  Sequence& sequence = *owned;
  sequence.ended = true;
  const Clock::time_point now = hooks_.now();
  EndEvent event;
  event.reason = reason;
  event.error = error;
  if (error.code() == StatusCode::deadline_exceeded) {
    event.error = {error.code(), fmt::format("timed out after {} ms, {}", sequence.timeout_ms,
                                             state_of(sequence))};
  }
  if (sequence.has_started()) {
    const double service = seconds(now - sequence.started);
    mean_service_s_ = mean_service_s_ == 0 ? service : 0.8 * mean_service_s_ + 0.2 * service;
  }
  in_flight_.fetch_sub(1);
  const Status told = tell([&] {
    released_.clear();
    sequence.text.finish(released_);
    deliver(sequence, released_);
    // Text held back at the end can complete a stop string (an invalid byte becomes U+FFFD).
    event.stop_sequence = sequence.text.matched_stop();
    if (!event.stop_sequence.empty() && reason != StopReason::error) {
      event.reason = StopReason::stop_sequence;
    }
  });
  if (!told.ok() && event.error.ok()) {
    event.reason = StopReason::error;
    event.error = told;
  }
  event.prompt_tokens = sequence.prompt_length;
  event.cached_tokens = sequence.cached_tokens;
  event.tokens_out = sequence.delivered;
  event.preemptions = sequence.preemptions;
  const bool has_token = sequence.first_token != Clock::time_point();
  const auto started = sequence.has_started() ? sequence.started : now;
  const auto first = has_token ? sequence.first_token : now;
  event.queue_ms = milliseconds(started - sequence.submitted);
  event.prefill_ms = milliseconds(first - started);
  event.decode_ms = milliseconds(now - first);
  const Status last = tell([&] { sequence.observer->on_end(event); });
  if (!last.ok()) core::log(core::LogLevel::error, "request {}: {}", sequence.id, last.message());
  if (in_step_) ended_.push_back(std::move(owned));
}

void Runner::end_all(StopReason reason, const Status& error) {
  for (const RequestId id : scheduler_.ids()) end(id, reason, error);
}

EngineStats Runner::stats() const {
  EngineStats stats = totals_;
  stats.running = scheduler_.running();
  stats.waiting = scheduler_.waiting();
  stats.preempted = scheduler_.preempted();
  stats.preemptions = scheduler_.preemptions();
  stats.kv_pages_total = blocks_.total();
  stats.kv_pages_used = blocks_.used();
  stats.kv_pages_cached = blocks_.cached();
  // A place is free once the first of the running requests ends; on average that takes one
  // request's time divided by the number that run at once.
  stats.estimated_wait_s = mean_service_s_ / std::max(1, stats.running);
  return stats;
}

Result<std::vector<float>> Runner::logits(std::span<const std::int32_t> tokens, std::int64_t chunk,
                                          bool all_positions) {
  if (!failure_.ok()) return failure_;
  const auto total = static_cast<std::int64_t>(tokens.size());
  PageTable table;
  if (!blocks_.grow(table, total)) {
    return core::unavailable("{} tokens need {} KV pages, {} are free", total,
                             BlockManager::pages_for(total), blocks_.available());
  }
  models::SequenceRun run(decoder_, table.pages);
  Result<std::vector<float>> result = run.extend(tokens, chunk, all_positions);
  blocks_.release(table);
  return result;
}

}  // namespace llm::engine
