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
#include "engine/row_choices.h"
#include "engine/runner.h"
#include "engine/scheduler.h"
#include "engine/step_turns.h"
#include "formats/model_file.h"
#include "kernels/kernels.h"
#include "llm/engine.h"
#include "models/load.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

/// What the engines of one model have in common, whatever precision they run in.
struct SharedParts {
  const kernels::Ops* ops = nullptr;
  std::unique_ptr<core::ThreadPool> pool;
  StepTurns turns;  ///< who may use the pool
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  chat::ChatTemplates chat_templates;
  /// The model as it was opened; null when no other precision can be loaded from it.
  std::unique_ptr<formats::ModelFile> file;
  std::atomic<RequestId> next_request{1};
};

/// Everything that load_model puts together.
struct LoadedParts {
  std::shared_ptr<SharedParts> shared;
  models::LoadedModel model;
  ModelInfo info;
};

/// Loads a model without starting an engine; errors as load_model.
Result<LoadedParts> load_parts(const std::string& path, const LoadOptions& options);

/// When a request came and what it is called.
struct Arrival {
  RequestId id = 0;  ///< 0: the next number
  Sequence::Clock::time_point time;
};

/// When its time is over; the end of all times without a limit.
Sequence::Clock::time_point deadline_of(const GenerationRequest& request,
                                        Sequence::Clock::time_point submitted);

class LocalEngine final : public Engine {
 public:
  /// Of `options`, those about serving are used.
  LocalEngine(LoadedParts parts, const LoadOptions& options, RunnerHooks hooks = {});
  ~LocalEngine() override;

  /// Ends all requests and the thread; stats() are final then. Done by the destructor otherwise.
  void stop();

  const ModelInfo& info() const override { return parts_.info; }
  Result<std::vector<std::int32_t>> tokenize(std::string_view text,
                                             TokenizeOptions options) const override;
  Result<std::string> detokenize(std::span<const std::int32_t> ids) const override;
  Result<std::string> token_piece(std::int32_t id) const override;
  std::vector<DType> loaded_dtypes() const override { return {info().capabilities.dtype}; }
  Status chat_status() const override { return parts_.shared->chat_templates.status(); }
  Result<RenderedChat> render_chat(const ChatRequest& request) const override {
    return parts_.shared->chat_templates.render(request);
  }
  Result<RequestId> submit(GenerationRequest request,
                           std::shared_ptr<GenerationObserver> observer) override;
  /// One that has waited elsewhere before, under a number that was taken for it then.
  Result<RequestId> submit(GenerationRequest request, std::shared_ptr<GenerationObserver> observer,
                           const Arrival& arrival);
  /// ok, or why submit() would refuse the request whatever else is going on.
  Status check(const GenerationRequest& request) const;
  void cancel(RequestId id) override;
  Result<std::vector<float>> logits(std::span<const std::int32_t> tokens, std::int64_t chunk,
                                    bool all_positions) override;
  EngineStats stats() const override;
  Status health() const override;

  int in_flight() const { return in_flight_.load(); }  ///< requests accepted and not ended
  int capacity() const { return capacity_; }           ///< most of them

 private:
  using Command = std::function<void()>;

  Result<std::vector<std::int32_t>> prompt_tokens(const GenerationRequest& request) const;
  Status check_tokens(std::span<const std::int32_t> tokens) const;
  Result<std::unique_ptr<Sequence>> make_sequence(GenerationRequest request) const;
  Status refusal();            // ok when a request may come in; the mutex is held
  bool post(Command command);  // false once the engine is stopping
  void set_working(bool working);
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
  RowChoices choices_;
  Runner runner_;
  bool working_ = false;  // as StepTurns knows it
  int idle_steps_ = 0;    // in a row, though requests wait

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<Command> mailbox_;
  bool stopping_ = false;
  std::uint64_t refused_ = 0;
  EngineStats stats_;
  Status health_;

  std::thread thread_;
};

}  // namespace llm::engine
