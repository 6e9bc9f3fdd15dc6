// LocalEngine: the Engine over a model in this process. One thread owns the decoder and runs
// steps; the public calls put commands into its mailbox.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "chat/chat_templates.h"
#include "core/thread_pool.h"
#include "engine/runner.h"
#include "engine/scheduler.h"
#include "llm/engine.h"
#include "models/load.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

/// Everything that load_model puts together.
struct LoadedParts {
  std::unique_ptr<core::ThreadPool> pool;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  models::LoadedModel model;
  chat::ChatTemplates chat_templates;
  ModelInfo info;
};

/// Loads a model without starting an engine; errors as load_model.
Result<LoadedParts> load_parts(const std::string& path, const LoadOptions& options);

class LocalEngine final : public Engine {
 public:
  /// Of `options`, those about serving are used.
  LocalEngine(LoadedParts parts, const LoadOptions& options, RunnerHooks hooks = {});
  ~LocalEngine() override;

  const ModelInfo& info() const override { return parts_.info; }
  Result<std::vector<std::int32_t>> tokenize(std::string_view text,
                                             bool add_special) const override;
  Result<std::string> detokenize(std::span<const std::int32_t> ids) const override;
  Status chat_status() const override { return parts_.chat_templates.status(); }
  Result<RenderedChat> render_chat(const ChatRequest& request) const override {
    return parts_.chat_templates.render(request);
  }
  Result<RequestId> submit(GenerationRequest request,
                           std::shared_ptr<GenerationObserver> observer) override;
  void cancel(RequestId id) override;
  Result<std::vector<float>> logits(std::span<const std::int32_t> tokens, std::int64_t chunk,
                                    bool all_positions) override;
  EngineStats stats() const override;
  Status health() const override;

 private:
  using Command = std::function<void()>;

  Result<std::vector<std::int32_t>> prompt_tokens(const GenerationRequest& request) const;
  Status check_tokens(std::span<const std::int32_t> tokens) const;
  Result<std::unique_ptr<Sequence>> make_sequence(GenerationRequest request) const;
  Status refusal();            // ok when a request may come in; the mutex is held
  bool post(Command command);  // false once the engine is stopping
  void thread_main();
  bool run_once();
  void run_commands(const std::deque<Command>& commands);
  void publish_stats();

  LoadedParts parts_;
  const std::function<Sequence::Clock::time_point()> now_;
  const StepWork work_;
  const int capacity_;  // requests that may be in flight
  std::atomic<int> in_flight_{0};
  BlockManager blocks_;
  Scheduler scheduler_;
  Runner runner_;
  int idle_steps_ = 0;  // in a row, though requests wait

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<Command> mailbox_;
  bool stopping_ = false;
  RequestId next_id_ = 1;
  std::uint64_t refused_ = 0;
  EngineStats stats_;
  Status health_;

  std::thread thread_;
};

}  // namespace llm::engine
