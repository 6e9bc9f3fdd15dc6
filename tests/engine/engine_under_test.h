// EngineUnderTest: a LocalEngine whose clock and steps a test controls.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/collector.h"
#include "engine/local_engine.h"

namespace llm::engine {

/// "models/demo", or the path of a fixture.
inline std::string model_path(const std::string& name) {
  const std::string root = LLM_SOURCE_DIR;
  return name == "demo" ? root + "/models/demo" : root + "/tests/fixtures/models/" + name;
}

/// A gate in front of every step: open, closed, or open for some steps.
class StepGate {
 public:
  void open() { set(-1); }
  void close() { set(0); }
  /// Lets so many more steps through, and waits until they have begun.
  void let_through(int steps) {
    std::unique_lock lock(mutex_);
    left_ = steps;
    changed_.notify_all();
    changed_.wait(lock, [&] { return left_ <= 0; });
  }
  /// Waits until a step stands at the closed gate: everything before it has happened.
  void wait_for_step() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return at_gate_; });
  }
  /// On the engine thread.
  void pass() {
    std::unique_lock lock(mutex_);
    at_gate_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return left_ != 0; });
    at_gate_ = false;
    if (left_ > 0) --left_;
    changed_.notify_all();
  }

 private:
  void set(int steps) {
    const std::lock_guard lock(mutex_);
    left_ = steps;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int left_ = -1;  // steps that may pass; < 0: all
  bool at_gate_ = false;
};

/// Time that stands still unless a test moves it.
class FakeClock {
 public:
  Sequence::Clock::time_point now() const {
    return Sequence::Clock::time_point(std::chrono::microseconds(microseconds_.load()));
  }
  void advance_ms(double ms) { microseconds_.fetch_add(static_cast<std::int64_t>(ms * 1000)); }

 private:
  std::atomic<std::int64_t> microseconds_{1'000'000'000};
};

class EngineUnderTest {
 public:
  EngineUnderTest(const std::string& model, const LoadOptions& options, RunnerHooks hooks = {}) {
    auto parts = load_parts(model_path(model), options);
    EXPECT_TRUE(parts) << parts.status().message();
    if (parts) {
      engine_ = std::make_unique<LocalEngine>(std::move(*parts), options, std::move(hooks));
    }
  }

  LocalEngine& operator*() { return *engine_; }
  LocalEngine* operator->() { return engine_.get(); }

  std::shared_ptr<Collector> submit(const GenerationRequest& request, RequestId* id = nullptr) {
    auto collector = std::make_shared<Collector>();
    submit(request, collector, id);
    return collector;
  }
  void submit(const GenerationRequest& request, std::shared_ptr<GenerationObserver> observer,
              RequestId* id = nullptr) {
    const auto accepted = engine_->submit(request, std::move(observer));
    ASSERT_TRUE(accepted) << accepted.status().message();
    if (id != nullptr) *id = *accepted;
  }
  std::shared_ptr<Collector> run(const GenerationRequest& request) {
    auto collector = submit(request);
    collector->wait();
    return collector;
  }
  /// All at once.
  std::vector<std::shared_ptr<Collector>> run_all(const std::vector<GenerationRequest>& requests) {
    std::vector<std::shared_ptr<Collector>> collectors;
    for (const GenerationRequest& request : requests) collectors.push_back(submit(request));
    for (const auto& collector : collectors) collector->wait();
    return collectors;
  }
  Status refusal(const GenerationRequest& request) {
    return engine_->submit(request, std::make_shared<Collector>()).status();
  }
  /// Statistics once the engine has nothing to do. (They are those of the last finished step.)
  EngineStats settled_stats() {
    for (;;) {
      const EngineStats stats = engine_->stats();
      if (stats.running + stats.waiting + stats.preempted == 0) return stats;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

 private:
  std::unique_ptr<LocalEngine> engine_;
};

inline LoadOptions small_options() {
  LoadOptions options;
  options.threads = 2;
  options.max_sequences = 4;
  options.max_batch_rows = 16;  // small, so that prompts take several slices
  return options;
}

/// A prompt of `length` ids that any model has, different for each seed.
inline std::vector<std::int32_t> some_tokens(std::int64_t length, std::int64_t seed = 0) {
  std::vector<std::int32_t> tokens;
  for (std::int64_t i = 0; i < length; ++i) {
    tokens.push_back(static_cast<std::int32_t>(3 + (i * 7919 + seed * 104729 + i * i * 31) % 90));
  }
  return tokens;
}

inline GenerationRequest request_of(std::vector<std::int32_t> prompt, std::int64_t max_tokens) {
  GenerationRequest request;
  request.prompt_tokens = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  return request;
}

/// One whose result depends on everything that a sequence carries along: random draws, penalties
/// over what was generated, text that is held back for a stop string, logprobs.
inline GenerationRequest demanding_request(std::vector<std::int32_t> prompt,
                                           std::int64_t max_tokens, std::uint64_t seed) {
  GenerationRequest request = request_of(std::move(prompt), max_tokens);
  request.sampling.temperature = 0.9F;
  request.sampling.seed = seed;
  request.sampling.repetition_penalty = 1.1F;
  request.sampling.frequency_penalty = 0.3F;
  request.sampling.top_p = 0.98F;
  request.stop = {"e never seen"};
  request.logprobs = 3;
  request.ignore_eos = true;
  return request;
}

}  // namespace llm::engine
