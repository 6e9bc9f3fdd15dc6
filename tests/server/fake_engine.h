// FakeEngine: a scripted Engine without a model. One token is one byte of the prompt; it answers
// "t0 ", "t1 ", ... until its script ends or max_tokens is reached. Tests set its pace, hold it,
// make it fail, and see what it was asked.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "llm/engine.h"

namespace llm::server {

struct FakeEngineOptions {
  std::int64_t context = 64;
  std::int64_t vocab_size = 256;
  int max_sequences = 2;
  int max_queue = 64;
  std::int64_t script_tokens = 1000000;  ///< the end token comes after these
  std::chrono::microseconds token_time{0};
  std::size_t token_padding = 0;  ///< more bytes of text per token
  DType dtype = DType::f32;
  std::vector<DType> supported = {DType::f32, DType::f16, DType::bf16};
};

class FakeEngine : public Engine {
 public:
  explicit FakeEngine(FakeEngineOptions options = {});
  ~FakeEngine() override;

  const ModelInfo& info() const override { return info_; }
  std::vector<DType> loaded_dtypes() const override { return {info_.capabilities.dtype}; }
  /// "<s>" is its control token, number 1.
  Result<std::vector<std::int32_t>> tokenize(std::string_view text,
                                             TokenizeOptions options) const override;
  Result<std::string> detokenize(std::span<const std::int32_t> ids) const override;
  Result<std::string> token_piece(std::int32_t id) const override {
    return id == 1 ? "<s>" : std::string(1, static_cast<char>(id));
  }
  Status chat_status() const override {
    return chat ? Status() : Status(StatusCode::not_found, "the model has no chat template");
  }
  Result<RenderedChat> render_chat(const ChatRequest& request) const override {
    return chat(request);
  }
  Result<RequestId> submit(GenerationRequest request,
                           std::shared_ptr<GenerationObserver> observer) override;
  void cancel(RequestId id) override;
  Result<std::vector<float>> logits(std::span<const std::int32_t> tokens, std::int64_t chunk,
                                    bool all_positions) override;
  EngineStats stats() const override;
  Status health() const override;

  /// The chat template; empty: there is none. Set before the server starts.
  std::function<Result<RenderedChat>(const ChatRequest& request)> chat;

  /// Text of the token that comes after so many; empty: "t0 ", "t1 ", ... Set before the server
  /// starts.
  std::function<std::string(std::int64_t made)> token_text;

  /// What stats() says, but for the requests running and waiting. Set before the server starts.
  EngineStats fixed_stats;

  /// Why no other dtype than the loaded one can be had; ok: all can.
  Status dtype_refusal;

  /// While held, nothing is started and no token comes out, as in a very long step.
  void hold();
  void release();
  /// After this many more tokens (over all requests) the next request ends with the error.
  void fail_after(std::int64_t tokens, Status error);
  /// From now on the engine says that it has failed.
  void break_down(Status failure);
  void set_stop_text_after(std::int64_t tokens) { stop_after_ = tokens; }

  GenerationRequest last_request() const;
  std::int64_t tokens_made() const { return tokens_made_; }
  int cancelled() const { return cancelled_; }
  int cancels_asked_for() const { return cancels_asked_for_; }

 private:
  struct Running {
    RequestId id;
    GenerationRequest request;
    std::shared_ptr<GenerationObserver> observer;
    std::int64_t prompt_tokens;
    std::int64_t max_tokens;
    std::int64_t made = 0;
    bool started = false;
    bool cancel = false;
  };

  void run();
  bool step(Running& sequence);
  void report_prompt(const Running& sequence);
  void finish(const Running& sequence, StopReason reason, Status error = {});

  const FakeEngineOptions options_;
  ModelInfo info_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Running>> waiting_;
  std::vector<std::shared_ptr<Running>> running_;
  GenerationRequest last_;
  RequestId next_id_ = 1;
  bool held_ = false;
  bool stopping_ = false;
  std::int64_t fail_in_ = -1;
  Status failure_;
  Status health_;
  std::atomic<std::int64_t> stop_after_ = -1;
  std::atomic<std::int64_t> tokens_made_ = 0;
  std::atomic<int> cancelled_ = 0;
  std::atomic<int> cancels_asked_for_ = 0;
  std::thread thread_;
};

}  // namespace llm::server
