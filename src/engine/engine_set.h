// EngineSet: the Engine of a model that can run in several precisions. One LocalEngine was loaded
// first and stays; another precision is loaded when a request asks for it (GenerationRequest::
// dtype), from the very file that is open, if its memory fits beside the others. It stays for
// requests to come; when a third one needs the memory, the one that nobody uses and that was used
// least recently is dropped. All share tokenizer, threads and the numbering of requests.
//
// Loading happens on a thread of its own while the others serve; requests wait for it meanwhile,
// as bounded, cancellable and subject to their deadlines as in an engine's queue.
#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/local_engine.h"

namespace llm::engine {

class EngineSet final : public Engine {
 public:
  /// `first` is what `options` asked for.
  EngineSet(LoadedParts first, const LoadOptions& options, RunnerHooks hooks = {});
  ~EngineSet() override;

  const ModelInfo& info() const override { return first_->info(); }
  std::vector<DType> loaded_dtypes() const override;
  Result<std::vector<std::int32_t>> tokenize(std::string_view text,
                                             TokenizeOptions options) const override {
    return first_->tokenize(text, options);
  }
  Result<std::string> detokenize(std::span<const std::int32_t> ids) const override {
    return first_->detokenize(ids);
  }
  Result<std::string> token_piece(std::int32_t id) const override {
    return first_->token_piece(id);
  }
  Status chat_status() const override { return first_->chat_status(); }
  Result<RenderedChat> render_chat(const ChatRequest& request) const override {
    return first_->render_chat(request);
  }
  Result<RequestId> submit(GenerationRequest request,
                           std::shared_ptr<GenerationObserver> observer) override;
  void cancel(RequestId id) override;
  Result<std::vector<float>> logits(std::span<const std::int32_t> tokens, std::int64_t chunk,
                                    bool all_positions) override {
    return first_->logits(tokens, chunk, all_positions);
  }
  /// Of all engines together, those that were dropped included.
  EngineStats stats() const override;
  Status health() const override { return first_->health(); }

 private:
  using Clock = Sequence::Clock;

  /// A request for a precision that is being loaded.
  struct Waiting {
    RequestId id = 0;
    GenerationRequest request;
    std::shared_ptr<GenerationObserver> observer;
    Clock::time_point submitted;
    Clock::time_point deadline = Clock::time_point::max();
    bool cancelled = false;
  };
  /// A precision beside the first.
  struct Precision {
    DType dtype = DType::f32;
    models::DecoderOptions options;       // with which it was planned
    MemoryPlan memory;                    // beside what all share
    std::shared_ptr<LocalEngine> engine;  // null until it has been loaded
    std::vector<Waiting> waiting;         // until then
    int submitting = 0;                   // threads that are about to use the engine
    std::uint64_t last_used = 0;

    bool idle() const { return engine && submitting == 0 && engine->in_flight() == 0; }
  };
  /// What takes memory, when room is looked for.
  struct Resident {
    DType dtype = DType::f32;
    std::size_t weight_bytes = 0;
    std::size_t total_bytes = 0;
    bool idle = false;  // may be dropped
    std::uint64_t last_used = 0;
  };

  Precision* find(DType dtype);
  Result<RequestId> submit_to(DType dtype, GenerationRequest request,
                              std::shared_ptr<GenerationObserver> observer);
  Result<RequestId> wait_for(Precision& precision, GenerationRequest request,
                             std::shared_ptr<GenerationObserver> observer);
  Status make_room(DType dtype);
  std::vector<Resident> residents() const;
  Result<Precision> plan(DType dtype, const std::vector<Resident>& kept) const;
  void drop(const Precision& precision);

  void loader_main();
  void destroy_dropped();
  void load(Precision& precision);
  Result<std::shared_ptr<LocalEngine>> make_engine(const Precision& precision);
  void hand_over(Precision& precision, std::shared_ptr<LocalEngine> engine);
  void end_gone();
  void end(const Waiting& waiting, StopReason reason, const Status& error) const;

  const LoadOptions options_;
  const RunnerHooks hooks_;
  std::shared_ptr<SharedParts> shared_;
  const std::unique_ptr<LocalEngine> first_;

  std::mutex admission_;  // one decision about memory at a time; taken before mutex_
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::list<Precision> precisions_;                  // in the order in which they are loaded
  std::list<std::shared_ptr<LocalEngine>> dropped_;  // to be destroyed by the loader
  EngineStats retired_;                              // totals of engines that are gone
  std::uint64_t uses_ = 0;
  std::uint64_t refused_ = 0;
  std::atomic<bool> stopping_ = false;

  std::thread loader_;
};

}  // namespace llm::engine
