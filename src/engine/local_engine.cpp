#include "engine/local_engine.h"

#include <algorithm>
#include <exception>
#include <future>

#include "core/error.h"
#include "core/log.h"

namespace llm::engine {
namespace {

constexpr int kMaxLogprobs = 20;

Status check_request(const GenerationRequest& request) {
  if (request.logprobs < 0 || request.logprobs > kMaxLogprobs) {
    return core::invalid_argument("logprobs must be 0..={} (got {})", kMaxLogprobs,
                                  request.logprobs);
  }
  if (request.max_tokens && *request.max_tokens < 1) {
    return core::invalid_argument("max_tokens must be at least 1 (got {})", *request.max_tokens);
  }
  for (const std::string& stop : request.stop) {
    if (stop.empty()) return core::invalid_argument("stop: a stop string must not be empty");
  }
  return {};
}

}  // namespace

LocalEngine::LocalEngine(LoadedParts parts)
    : parts_(std::move(parts)),
      scheduler_(parts_.model.decoder->cache().pages(), parts_.model.max_sequences,
                 parts_.model.decoder->max_rows(), parts_.model.decoder->rope()),
      runner_(*parts_.model.decoder, *parts_.tokenizer, parts_.info.capabilities.eos_tokens,
              parts_.info.capabilities.vocab_size, scheduler_) {
  publish_stats();
  thread_ = std::thread([this] { thread_main(); });
}

LocalEngine::~LocalEngine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Result<std::vector<std::int32_t>> LocalEngine::tokenize(std::string_view text,
                                                        bool add_special) const {
  return parts_.tokenizer->encode(text, {.add_special = add_special});
}

Result<std::string> LocalEngine::detokenize(std::span<const std::int32_t> ids) const {
  return parts_.tokenizer->decode(ids, /*skip_special=*/false);
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
    LLM_ASSIGN_OR_RETURN(tokens, tokenize(request.prompt, request.add_special));
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

Result<RequestId> LocalEngine::submit(GenerationRequest request,
                                      std::shared_ptr<GenerationObserver> observer) {
  LLM_RETURN_IF_ERROR(check_request(request));
  LLM_ASSIGN_OR_RETURN(
      sampling::Sampler sampler,
      sampling::Sampler::create(request.sampling, parts_.info.capabilities.vocab_size));
  LLM_ASSIGN_OR_RETURN(std::vector<std::int32_t> tokens, prompt_tokens(request));

  const auto length = static_cast<std::int64_t>(tokens.size());
  const std::int64_t room = std::min(parts_.info.capabilities.max_context_length,
                                     scheduler_.pages().total() * kernels::kKvPageTokens) -
                            length;
  if (room < 1) {
    return core::invalid_argument("the prompt has {} tokens, which leaves no room in the KV cache",
                                  length);
  }
  RequestId id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = next_id_++;
  }
  auto sequence = std::make_unique<Sequence>(
      id, std::move(sampler),
      TextStream(*parts_.tokenizer, std::move(request.stop), /*continues_text=*/true));
  sequence->observer = std::move(observer);
  sequence->tokens = std::move(tokens);
  sequence->prompt_length = length;
  sequence->max_tokens = std::min(request.max_tokens.value_or(room), room);
  sequence->logprobs = request.logprobs;

  // std::function wants a copyable callable, so the sequence travels in a shared pointer.
  auto parcel = std::make_shared<std::unique_ptr<Sequence>>(std::move(sequence));
  if (!post([this, parcel] { scheduler_.add(std::move(*parcel)); })) {
    return core::unavailable("the engine is stopping");
  }
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
  const bool posted =
      post([&] { promise.set_value(runner_.logits(tokens, chunk, all_positions)); });
  if (!posted) return core::unavailable("the engine is stopping");
  return future.get();
}

EngineStats LocalEngine::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.waiting += static_cast<int>(mailbox_.size());  // accepted, not seen by the engine thread
  return stats;
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

void LocalEngine::thread_main() {
  for (;;) {
    std::deque<Command> commands;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !mailbox_.empty() || !scheduler_.idle(); });
      commands.swap(mailbox_);
      if (stopping_ && commands.empty()) break;
    }
    for (const Command& command : commands) command();
    run_step();
    publish_stats();
  }
  runner_.end_all(StopReason::cancelled, {});
}

void LocalEngine::run_step() {
  try {
    runner_.step();
  } catch (const std::exception& error) {
    // Our code does not throw; what is left is the standard library running out of memory.
    core::log(core::LogLevel::error, "step failed: {}", error.what());
    runner_.end_all(StopReason::error, core::internal_error("step failed: {}", error.what()));
  }
}

void LocalEngine::publish_stats() {
  const std::lock_guard lock(mutex_);
  stats_.running = scheduler_.running();
  stats_.waiting = scheduler_.waiting();
  stats_.kv_pages_total = scheduler_.pages().total();
  stats_.kv_pages_used = stats_.kv_pages_total - scheduler_.pages().free();
}

}  // namespace llm::engine
