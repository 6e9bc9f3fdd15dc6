#include "server/fake_engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace llm::server {

FakeEngine::FakeEngine(FakeEngineOptions options) : options_(options) {
  info_.name = "fake";
  info_.path = "/models/fake";
  info_.format = "safetensors";
  info_.device = "cpu";
  info_.instruction_set = "ref";
  info_.max_sequences = options.max_sequences;
  info_.trained_context_length = options.context;
  info_.capabilities.architecture_family = "llama";
  info_.capabilities.dtype = options.dtype;
  info_.capabilities.supported_dtypes = options.supported;
  info_.capabilities.max_context_length = options.context;
  info_.capabilities.vocab_size = options.vocab_size;
  info_.capabilities.parameters = 1000;
  info_.memory.weights = 4000;
  info_.memory.kv_per_token = 48;
  info_.memory.kv_cache = 64;
  info_.memory.scratch = 32;
  thread_ = std::thread([this] { run(); });
}

FakeEngine::~FakeEngine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Result<std::vector<std::int32_t>> FakeEngine::tokenize(std::string_view text,
                                                       TokenizeOptions options) const {
  constexpr std::string_view kControl = "<s>";
  std::vector<std::int32_t> ids;
  if (options.add_special) ids.push_back(1);
  while (!text.empty()) {
    const bool control = options.parse_special && text.starts_with(kControl);
    ids.push_back(control ? 1 : static_cast<unsigned char>(text.front()));
    text.remove_prefix(control ? kControl.size() : 1);
  }
  return ids;
}

Result<std::string> FakeEngine::detokenize(std::span<const std::int32_t> ids) const {
  std::string text;
  for (const std::int32_t id : ids) text += static_cast<char>(id);
  return text;
}

Result<RequestId> FakeEngine::submit(GenerationRequest request,
                                     std::shared_ptr<GenerationObserver> observer) {
  const auto prompt_tokens = static_cast<std::int64_t>(
      request.prompt_tokens.empty() ? request.prompt.size() : request.prompt_tokens.size());
  if (prompt_tokens >= options_.context) {
    return core::invalid_argument(
        "the prompt has {} tokens and leaves no room in a context of {} tokens", prompt_tokens,
        options_.context);
  }
  if (request.dtype && !dtype_refusal.ok()) return dtype_refusal;
  const std::lock_guard lock(mutex_);
  if (!health_.ok()) return Status(StatusCode::unavailable, health_.message());
  const int capacity = options_.max_sequences + options_.max_queue;
  if (waiting_.size() + running_.size() >= static_cast<std::size_t>(capacity)) {
    return Status(StatusCode::unavailable, "queue full", /*retry_after_ms=*/2500);
  }
  last_ = request;
  const std::int64_t room = options_.context - prompt_tokens;
  auto sequence = std::make_shared<Running>(Running{.id = next_id_++,
                                                    .request = std::move(request),
                                                    .observer = std::move(observer),
                                                    .prompt_tokens = prompt_tokens,
                                                    .max_tokens = room});
  if (sequence->request.max_tokens) {
    sequence->max_tokens = std::min(room, *sequence->request.max_tokens);
  }
  waiting_.push_back(sequence);
  changed_.notify_all();
  return sequence->id;
}

void FakeEngine::cancel(RequestId id) {
  ++cancels_asked_for_;
  const std::lock_guard lock(mutex_);
  for (const auto& sequence : waiting_) {
    if (sequence->id == id) sequence->cancel = true;
  }
  for (const auto& sequence : running_) {
    if (sequence->id == id) sequence->cancel = true;
  }
  changed_.notify_all();
}

Result<std::vector<float>> FakeEngine::logits(std::span<const std::int32_t>, std::int64_t, bool) {
  return core::unsupported("the fake engine has no logits");
}

EngineStats FakeEngine::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = fixed_stats;
  stats.running = static_cast<int>(running_.size());
  stats.waiting = static_cast<int>(waiting_.size());
  return stats;
}

Status FakeEngine::health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

void FakeEngine::break_down(Status failure) {
  const std::lock_guard lock(mutex_);
  health_ = std::move(failure);
}

void FakeEngine::hold() {
  const std::lock_guard lock(mutex_);
  held_ = true;
}

void FakeEngine::release() {
  const std::lock_guard lock(mutex_);
  held_ = false;
  changed_.notify_all();
}

void FakeEngine::fail_after(std::int64_t tokens, Status error) {
  const std::lock_guard lock(mutex_);
  fail_in_ = tokens;
  failure_ = std::move(error);
}

GenerationRequest FakeEngine::last_request() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

void FakeEngine::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(
        lock, [&] { return stopping_ || (!held_ && (!waiting_.empty() || !running_.empty())); });
    if (stopping_) break;
    while (!waiting_.empty() &&
           running_.size() < static_cast<std::size_t>(options_.max_sequences)) {
      running_.push_back(waiting_.front());
      waiting_.pop_front();
    }
    const auto batch = running_;
    lock.unlock();
    std::vector<std::shared_ptr<Running>> done;
    for (const auto& sequence : batch) {
      if (!step(*sequence)) done.push_back(sequence);
    }
    if (options_.token_time.count() > 0) std::this_thread::sleep_for(options_.token_time);
    lock.lock();
    for (const auto& sequence : done) std::erase(running_, sequence);
  }
  for (const auto& sequence : running_) finish(*sequence, StopReason::cancelled);
  for (const auto& sequence : waiting_) finish(*sequence, StopReason::cancelled);
}

// One token of one sequence; false when it has ended.
bool FakeEngine::step(Running& sequence) {
  bool cancel = false;
  bool fail = false;
  {
    const std::lock_guard lock(mutex_);
    cancel = sequence.cancel;
    if (fail_in_ == 0) fail = true;
    if (fail_in_ >= 0) --fail_in_;
  }
  if (cancel) {
    ++cancelled_;
    finish(sequence, StopReason::cancelled);
    return false;
  }
  if (!sequence.started) {
    sequence.started = true;
    StartEvent start{.prompt_tokens = sequence.prompt_tokens,
                     .max_tokens = sequence.max_tokens,
                     .sampling = sequence.request.sampling};
    if (!start.sampling.seed) start.sampling.seed = 42;
    sequence.observer->on_start(start);
    if (sequence.request.prompt_logprobs) report_prompt(sequence);
  }
  if (fail) {
    finish(sequence, StopReason::error, failure_);
    return false;
  }
  if (sequence.made == stop_after_) {
    finish(sequence, StopReason::stop_sequence);
    return false;
  }
  if (sequence.made == options_.script_tokens) {
    finish(sequence, StopReason::eos);
    return false;
  }
  TokenEvent token{
      .index = sequence.made,
      .id = static_cast<std::int32_t>(sequence.made % options_.vocab_size),
      .text = token_text ? token_text(sequence.made) : fmt::format("t{} ", sequence.made),
      .logprob = {},
      .alternatives = {}};
  token.text.append(options_.token_padding, '.');
  if (sequence.request.logprobs > 0) {
    token.logprob = TokenLogprob{.id = token.id, .bytes = "\xC3", .logprob = -0.5F};
    token.alternatives.assign(static_cast<std::size_t>(sequence.request.logprobs), *token.logprob);
  }
  ++tokens_made_;
  ++sequence.made;
  sequence.observer->on_token(token);
  if (sequence.made == sequence.max_tokens) {
    finish(sequence, StopReason::max_tokens);
    return false;
  }
  return true;
}

// As an engine does: one event per token, the first without a logprob.
void FakeEngine::report_prompt(const Running& sequence) {
  const auto& ids = sequence.request.prompt_tokens;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    TokenEvent event;
    event.index = static_cast<std::int64_t>(i);
    event.id = ids[i];
    event.text = std::string(1, static_cast<char>(ids[i]));
    if (i > 0) event.logprob = TokenLogprob{.id = ids[i], .bytes = event.text, .logprob = -1.0F};
    if (i > 0 && *sequence.request.prompt_logprobs > 0) event.alternatives = {*event.logprob};
    sequence.observer->on_prompt_token(event);
  }
}

void FakeEngine::finish(const Running& sequence, StopReason reason, Status error) {
  EndEvent end;
  end.reason = reason;
  end.error = std::move(error);
  if (reason == StopReason::stop_sequence && !sequence.request.stop.empty()) {
    end.stop_sequence = sequence.request.stop.front();
  }
  end.prompt_tokens = sequence.prompt_tokens;
  end.tokens_out = sequence.made;
  end.prefill_ms = 1;
  end.decode_ms = static_cast<double>(sequence.made);
  sequence.observer->on_end(end);
}

}  // namespace llm::server
