#include "engine/local_engine.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <future>

#include "core/error.h"

namespace llm::engine {
namespace {

constexpr int kMaxLogprobs = 20;

Status check_logprobs(std::string_view name, int alternatives) {
  if (alternatives >= 0 && alternatives <= kMaxLogprobs) return {};
  return core::invalid_argument("{} must be 0..={} (got {})", name, kMaxLogprobs, alternatives);
}

Status check_request(const GenerationRequest& request) {
  LLM_RETURN_IF_ERROR(check_logprobs("logprobs", request.logprobs));
  LLM_RETURN_IF_ERROR(check_logprobs("prompt_logprobs", request.prompt_logprobs.value_or(0)));
  if (request.max_tokens && *request.max_tokens < 1) {
    return core::invalid_argument("max_tokens must be at least 1 (got {})", *request.max_tokens);
  }
  if (request.min_tokens < 0) {
    return core::invalid_argument("min_tokens must be at least 0 (got {})", request.min_tokens);
  }
  if (request.max_tokens && request.min_tokens > *request.max_tokens) {
    return core::invalid_argument("min_tokens must be at most max_tokens, {} (got {})",
                                  *request.max_tokens, request.min_tokens);
  }
  if (request.timeout_ms && *request.timeout_ms < 1) {
    return core::invalid_argument("timeout_ms must be at least 1 (got {})", *request.timeout_ms);
  }
  for (const std::string& stop : request.stop) {
    if (stop.empty()) return core::invalid_argument("stop: a stop string must not be empty");
  }
  return {};
}

}  // namespace

Sequence::Clock::time_point deadline_of(const GenerationRequest& request,
                                        Sequence::Clock::time_point submitted) {
  if (!request.timeout_ms) return Sequence::Clock::time_point::max();
  // A hundred years at most: adding more would overflow.
  constexpr std::int64_t kLongest = std::int64_t{100} * 365 * 24 * 3600 * 1000;
  return submitted + std::chrono::milliseconds(std::min(*request.timeout_ms, kLongest));
}

LocalEngine::LocalEngine(LoadedParts parts, const LoadOptions& options, RunnerHooks hooks)
    : parts_(std::move(parts)),
      now_(hooks.now),
      work_(parts_.model),
      capacity_(parts_.model.max_sequences + options.max_queue),
      blocks_(parts_.model.kv_pages, options.prefix_cache),
      scheduler_({.max_sequences = parts_.model.max_sequences,
                  .max_rows = parts_.model.max_rows,
                  .max_token_gap_ms = options.max_token_gap_ms,
                  .cost_per_position = work_.cost_per_position()},
                 blocks_, parts_.model.decoder->rope()),
      choices_(parts_.model.decoder->vocab_size(), parts_.model.max_sequences,
               parts_.info.capabilities.eos_tokens, *parts_.shared->pool),
      runner_(*parts_.model.decoder, *parts_.shared->tokenizer, parts_.info.capabilities.eos_tokens,
              work_, blocks_, scheduler_, choices_, in_flight_, std::move(hooks)) {
  publish_stats();
  thread_ = std::thread([this] { thread_main(); });
}

LocalEngine::~LocalEngine() { stop(); }

void LocalEngine::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<std::vector<std::int32_t>> LocalEngine::tokenize(std::string_view text,
                                                        TokenizeOptions options) const {
  return parts_.shared->tokenizer->encode(
      text, {.add_special = options.add_special, .parse_special = options.parse_special});
}

Result<std::string> LocalEngine::detokenize(std::span<const std::int32_t> ids) const {
  return parts_.shared->tokenizer->decode(ids, /*skip_special=*/false);
}

Result<std::string> LocalEngine::token_piece(std::int32_t id) const {
  const tokenizer::Tokenizer& tokenizer = *parts_.shared->tokenizer;
  if (id < 0 || id >= tokenizer.vocab_size()) {
    return core::invalid_argument("token id {} is not in the tokenizer's vocabulary of {}", id,
                                  tokenizer.vocab_size());
  }
  return tokenizer.is_special(id) ? std::string(tokenizer.token_text(id))
                                  : tokenizer.token_bytes(id);
}

Status LocalEngine::check_tokens(std::span<const std::int32_t> tokens) const {
  const std::int64_t vocab = parts_.info.capabilities.vocab_size;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0 || tokens[i] >= vocab) {
      return core::invalid_argument("token {} of the prompt: expected an id in 0..{}, found {}", i,
                                    vocab, tokens[i]);
    }
  }
  return {};
}

Result<std::vector<std::int32_t>> LocalEngine::prompt_tokens(
    const GenerationRequest& request) const {
  std::vector<std::int32_t> tokens = request.prompt_tokens;
  if (tokens.empty()) {
    LLM_ASSIGN_OR_RETURN(tokens, tokenize(request.prompt, {.add_special = request.add_special}));
  }
  if (tokens.empty()) return core::invalid_argument("the prompt is empty: it has no tokens");
  LLM_RETURN_IF_ERROR(check_tokens(tokens));
  const std::int64_t context = parts_.info.capabilities.max_context_length;
  if (static_cast<std::int64_t>(tokens.size()) >= context) {
    return core::invalid_argument(
        "the prompt has {} tokens, which leaves no room in the context of {}", tokens.size(),
        context);
  }
  return tokens;
}

Result<std::unique_ptr<Sequence>> LocalEngine::make_sequence(GenerationRequest request) const {
  LLM_RETURN_IF_ERROR(check_request(request));
  if (request.dtype && *request.dtype != parts_.info.capabilities.dtype) {
    return core::invalid_argument("dtype {}: this engine runs in {}", to_string(*request.dtype),
                                  to_string(parts_.info.capabilities.dtype));
  }
  LLM_ASSIGN_OR_RETURN(
      sampling::Sampler sampler,
      sampling::Sampler::create(request.sampling, parts_.info.capabilities.vocab_size));
  LLM_ASSIGN_OR_RETURN(std::vector<std::int32_t> tokens, prompt_tokens(request));

  auto sequence = std::make_unique<Sequence>(
      0, std::move(sampler),
      TextStream(*parts_.shared->tokenizer, std::move(request.stop), /*continues_text=*/true));
  // The cache has room for one full context at least, so that whatever fits the context fits.
  const auto length = static_cast<std::int64_t>(tokens.size());
  const std::int64_t room = parts_.info.capabilities.max_context_length - length;
  sequence->prompt_length = length;
  sequence->max_tokens = std::min(request.max_tokens.value_or(room), room);
  sequence->min_tokens = request.min_tokens;
  sequence->ignore_eos = request.ignore_eos;
  sequence->logprobs = request.logprobs;
  sequence->prompt_logprobs = request.prompt_logprobs;
  if (request.prompt_logprobs) {
    sequence->prompt_text.emplace(*parts_.shared->tokenizer, /*continues_text=*/false);
  }
  sequence->client_key = std::move(request.client);
  sequence->tokens = std::move(tokens);
  const std::int64_t longest = length + sequence->max_tokens;
  sequence->tokens.reserve(static_cast<std::size_t>(longest));
  sequence->table.pages.reserve(static_cast<std::size_t>(BlockManager::pages_for(longest)));
  return sequence;
}

Status LocalEngine::refusal() {
  if (stopping_) return core::unavailable("the engine is stopping");
  if (!health_.ok()) return {StatusCode::unavailable, health_.message()};
  if (in_flight_.load() < capacity_) return {};
  ++refused_;
  // Before any request has ended, a second is as good a guess as any.
  const double seconds = stats_.estimated_wait_s > 0 ? stats_.estimated_wait_s : 1.0;
  return {StatusCode::unavailable,
          fmt::format("queue full: {} requests run or wait, and no more are taken; a place may be "
                      "free in {:.1f} s",
                      in_flight_.load(), seconds),
          std::max<std::int64_t>(1, std::llround(seconds * 1000))};
}

Status LocalEngine::check(const GenerationRequest& request) const {
  return make_sequence(request).status();
}

Result<RequestId> LocalEngine::submit(GenerationRequest request,
                                      std::shared_ptr<GenerationObserver> observer) {
  return submit(std::move(request), std::move(observer), {.time = now_()});
}

Result<RequestId> LocalEngine::submit(GenerationRequest request,
                                      std::shared_ptr<GenerationObserver> observer,
                                      const Arrival& arrival) {
  {
    const std::lock_guard lock(mutex_);  // no work for a request that will be refused
    LLM_RETURN_IF_ERROR(refusal());
  }
  const std::int64_t timeout_ms = request.timeout_ms.value_or(0);
  const Sequence::Clock::time_point deadline = deadline_of(request, arrival.time);
  LLM_ASSIGN_OR_RETURN(std::unique_ptr<Sequence> sequence, make_sequence(std::move(request)));
  sequence->observer = std::move(observer);
  sequence->submitted = arrival.time;
  sequence->timeout_ms = timeout_ms;
  sequence->deadline = deadline;
  // std::function wants a copyable callable, so the sequence travels in a shared pointer.
  auto parcel = std::make_shared<std::unique_ptr<Sequence>>(std::move(sequence));
  RequestId id = 0;
  {
    const std::lock_guard lock(mutex_);
    LLM_RETURN_IF_ERROR(refusal());
    mailbox_.push_back([this, parcel] { runner_.add(std::move(*parcel)); });
    id = arrival.id != 0 ? arrival.id : parts_.shared->next_request.fetch_add(1);
    (*parcel)->id = id;  // in the order of the mailbox
    in_flight_.fetch_add(1);
  }
  wake_.notify_all();
  return id;
}

void LocalEngine::cancel(RequestId id) {
  (void)post([this, id] { runner_.end(id, StopReason::cancelled, {}); });
}

Result<std::vector<float>> LocalEngine::logits(std::span<const std::int32_t> tokens,
                                               std::int64_t chunk, bool all_positions) {
  if (tokens.empty()) return core::invalid_argument("no tokens given");
  if (chunk < 0) return core::invalid_argument("chunk must be at least 0 (got {})", chunk);
  LLM_RETURN_IF_ERROR(check_tokens(tokens));
  const std::int64_t context = parts_.info.capabilities.max_context_length;
  if (static_cast<std::int64_t>(tokens.size()) > context) {
    return core::invalid_argument("{} tokens do not fit the context of {}", tokens.size(), context);
  }
  std::promise<Result<std::vector<float>>> promise;
  auto future = promise.get_future();
  const bool posted = post([&] {
    try {
      promise.set_value(runner_.logits(tokens, chunk, all_positions));
    } catch (const std::bad_alloc&) {
      promise.set_value(
          core::resource_exhausted("out of memory for the logits of {} tokens", tokens.size()));
    }
  });
  if (!posted) return core::unavailable("the engine is stopping");
  return future.get();
}

EngineStats LocalEngine::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.refused = refused_;
  // Those that the engine thread has not seen yet wait as well.
  stats.waiting = std::max(0, in_flight_.load() - stats.running - stats.preempted);
  return stats;
}

Status LocalEngine::health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

bool LocalEngine::post(Command command) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    mailbox_.push_back(std::move(command));
  }
  wake_.notify_all();
  return true;
}

// Steps of engines that have work take turns, and share the time between two tokens.
void LocalEngine::set_working(bool working) {
  if (working != working_) parts_.shared->turns.set_working(working);
  working_ = working;
}

void LocalEngine::thread_main() {
  bool going = true;
  while (going) {
    try {
      going = run_once();
    } catch (const std::bad_alloc&) {
      // Not even memory to say so: whoever is to be told is told in the next round.
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  runner_.end_all(StopReason::cancelled, {});
  set_working(false);
  publish_stats();
}

// What has arrived, and one step. False when the engine is to stop.
bool LocalEngine::run_once() {
  constexpr int kMostIdleSteps = 3;
  std::deque<Command> commands;
  {
    std::unique_lock lock(mutex_);
    set_working(!scheduler_.idle());
    wake_.wait(lock, [&] { return stopping_ || !mailbox_.empty() || !scheduler_.idle(); });
    commands.swap(mailbox_);
    if (stopping_ && commands.empty()) return false;
  }
  set_working(true);
  const StepTurns::Turn turn(parts_.shared->turns);
  scheduler_.set_gap_share(1.0 / parts_.shared->turns.working());
  run_commands(commands);
  if (!runner_.failure().ok()) runner_.end_all(StopReason::error, runner_.failure());
  idle_steps_ = runner_.step() || scheduler_.idle() ? 0 : idle_steps_ + 1;
  if (idle_steps_ == kMostIdleSteps) {
    runner_.give_up(core::internal_error("{} requests wait and none can be scheduled",
                                         scheduler_.ids().size()));
  }
  publish_stats();
  return true;
}

void LocalEngine::run_commands(const std::deque<Command>& commands) {
  for (const Command& command : commands) {
    try {
      command();
    } catch (const std::exception& error) {
      // Which request it was about is unknown, so all are told.
      runner_.give_up(core::internal_error("a command failed: {}", error.what()));
    }
  }
}

void LocalEngine::publish_stats() {
  const EngineStats stats = runner_.stats();
  const std::lock_guard lock(mutex_);
  stats_ = stats;
  if (health_.ok() && !runner_.failure().ok()) health_ = runner_.failure();
}

}  // namespace llm::engine
