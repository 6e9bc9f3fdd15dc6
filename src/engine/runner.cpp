#include "engine/runner.h"

#include <algorithm>

#include "core/error.h"
#include "models/sequence_run.h"
#include "sampling/logprobs.h"

namespace llm::engine {
namespace {

double milliseconds(Sequence::Clock::time_point begin, Sequence::Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

}  // namespace

Runner::Runner(models::Decoder& decoder, const tokenizer::Tokenizer& tokenizer,
               const EosTokens& eos, std::int64_t vocab_size, Scheduler& scheduler)
    : decoder_(decoder),
      tokenizer_(tokenizer),
      eos_(eos),
      vocab_size_(vocab_size),
      scheduler_(scheduler),
      sampling_scratch_(vocab_size) {}

bool Runner::step() {
  started_.clear();
  scheduler_.schedule(step_, started_);
  for (Sequence* sequence : started_) start(*sequence);
  if (step_.rows.empty()) return false;
  decoder_.forward({step_.rows, step_.page_tables});
  const std::int64_t wanted = decoder_.wanted_rows();
  const auto vocab = static_cast<std::size_t>(vocab_size_);
  for (std::int64_t first = 0; first < wanted; first += decoder_.max_logit_rows()) {
    const std::int64_t count = std::min(decoder_.max_logit_rows(), wanted - first);
    const std::span<const float> logits = decoder_.logits(first, count);
    for (std::int64_t row = 0; row < count; ++row) {
      take_token(*step_.sampled[static_cast<std::size_t>(first + row)],
                 logits.subspan(static_cast<std::size_t>(row) * vocab, vocab));
    }
  }
  return true;
}

void Runner::start(Sequence& sequence) {
  sequence.started = Sequence::Clock::now();
  sequence.observer->on_start({.prompt_tokens = sequence.prompt_length,
                               .max_tokens = sequence.max_tokens,
                               .sampling = sequence.sampler.params()});
}

void Runner::take_token(Sequence& sequence, std::span<const float> logits) {
  const Result<std::int32_t> sampled =
      sequence.sampler.sample(logits, sequence.tokens, sequence.prompt_length, sampling_scratch_);
  if (sequence.generated() == 0) sequence.first_token = Sequence::Clock::now();
  if (!sampled) return end(sequence.id, StopReason::error, sampled.error());
  const std::int32_t token = *sampled;
  if (eos_.is_eos(token)) return end(sequence.id, StopReason::eos, {});

  Result<TokenEvent> event = make_event(sequence, logits, token);
  if (!event) return end(sequence.id, StopReason::error, event.error());
  sequence.tokens.push_back(token);
  released_.clear();
  const bool stopped = sequence.text.push(std::move(*event), released_);
  deliver(sequence, released_);
  if (stopped) return end(sequence.id, StopReason::stop_sequence, {});
  if (sequence.generated() >= sequence.max_tokens) {
    return end(sequence.id, StopReason::max_tokens, {});
  }
}

Result<TokenEvent> Runner::make_event(const Sequence& sequence, std::span<const float> logits,
                                      std::int32_t token) const {
  TokenEvent event;
  event.index = sequence.generated();
  event.id = token;
  if (sequence.logprobs == 0) return event;
  LLM_ASSIGN_OR_RETURN(const sampling::TokenLogprobs found,
                       sampling::token_logprobs(logits, token, sequence.logprobs));
  const auto describe = [&](const sampling::Logprob& entry) {
    return TokenLogprob{entry.id, tokenizer_.token_bytes(entry.id), entry.logprob};
  };
  event.logprob = describe(found.chosen);
  for (const sampling::Logprob& entry : found.alternatives) {
    event.alternatives.push_back(describe(entry));
  }
  return event;
}

void Runner::deliver(Sequence& sequence, std::vector<TokenEvent>& events) {
  for (const TokenEvent& event : events) sequence.observer->on_token(event);
  sequence.delivered += static_cast<std::int64_t>(events.size());
  events.clear();
}

void Runner::end(RequestId id, StopReason reason, const Status& error) {
  const std::unique_ptr<Sequence> sequence = scheduler_.remove(id);
  if (!sequence) return;
  released_.clear();
  sequence->text.finish(released_);
  deliver(*sequence, released_);
  // Text held back at the end can complete a stop string (an invalid byte becomes U+FFFD).
  const std::string& matched = sequence->text.matched_stop();
  if (!matched.empty() && reason != StopReason::error) reason = StopReason::stop_sequence;

  const auto now = Sequence::Clock::now();
  EndEvent event;
  event.reason = reason;
  event.stop_sequence = matched;
  event.error = error;
  event.prompt_tokens = sequence->prompt_length;
  event.tokens_out = sequence->delivered;
  const bool was_started = sequence->started != Sequence::Clock::time_point();
  const bool has_token = sequence->first_token != Sequence::Clock::time_point();
  const auto started = was_started ? sequence->started : now;
  const auto first = has_token ? sequence->first_token : now;
  event.queue_ms = milliseconds(sequence->submitted, started);
  event.prefill_ms = milliseconds(started, first);
  event.decode_ms = milliseconds(first, now);
  sequence->observer->on_end(event);
}

void Runner::end_all(StopReason reason, const Status& error) {
  for (const RequestId id : scheduler_.ids()) end(id, reason, error);
}

Result<std::vector<float>> Runner::logits(std::span<const std::int32_t> tokens, std::int64_t chunk,
                                          bool all_positions) {
  const auto total = static_cast<std::int64_t>(tokens.size());
  std::vector<std::int32_t> pages;
  const std::int64_t needed = PageAllocator::pages_for(total);
  if (!scheduler_.pages().allocate(needed, pages)) {
    return core::unavailable("{} tokens need {} KV pages, {} are free", total, needed,
                             scheduler_.pages().free());
  }
  models::SequenceRun run(decoder_, pages);
  std::vector<float> result = run.extend(tokens, chunk, all_positions);
  scheduler_.pages().release(pages);
  return result;
}

}  // namespace llm::engine
