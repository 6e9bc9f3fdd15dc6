// Job: one generation request on its way, and everything that was said about it, so that it can be
// streamed while it runs and again later. The engine thread writes (as its observer), any thread
// reads; one mutex, held only for copies. The text kept is bounded by the request's max_tokens.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "llm/engine.h"
#include "server/wakeups.h"

namespace llm::server {

enum class JobState : std::uint8_t { queued, running, done, failed, cancelled };
std::string_view to_string(JobState state);
/// "EOS", "MAX_TOKENS", ... as the wire spells it.
std::string_view wire_name(StopReason reason);
/// "INVALID_REQUEST", "OUT_OF_MEMORY", ...: the job error that stands for a status.
std::string_view job_error_code(StatusCode code);

/// Throughput seen after so many tokens; taken at most once a second.
struct JobMetrics {
  std::int64_t tokens = 0;
  double tokens_per_second = 0;
};

class Job : public GenerationObserver {
 public:
  using Clock = std::chrono::system_clock;

  struct Settings {
    std::string id;
    std::string request_id;
    std::string model;
    std::string dtype;
    std::uint64_t sequence = 0;    ///< order of arrival
    std::size_t memory_bytes = 0;  ///< of the model, reported in metrics
    int logprobs = 0;
    std::vector<std::string> stop;
    std::vector<std::string> ignored;
    StartEvent requested;  ///< reported when the job ends before it started
    /// Shown by the jobs API, and kept for a while after the end.
    bool listed = true;
  };
  /// `on_finished` is called once, when the engine has let go of the job.
  Job(Settings settings, std::function<void(const EndEvent&)> on_finished);

  const Settings& settings() const { return settings_; }

  // GenerationObserver, on the engine thread.
  void on_start(const StartEvent& event) override;
  void on_prompt_token(const TokenEvent& event) override;
  void on_token(const TokenEvent& event) override;
  void on_end(const EndEvent& event) override;

  /// How the engine can be asked to stop; called once submit() has given the id.
  void set_cancel(std::function<void()> cancel);
  /// Ends the job now, as its readers see it, and asks the engine to stop. False when it had ended.
  bool cancel(std::string_view why);

  /// A reader that waits. When the last one leaves a job that has not ended, the job is cancelled.
  Wakeups::Id add_reader(std::function<void()> wake);
  void remove_reader(Wakeups::Id id);

  struct Snapshot {
    JobState state = JobState::queued;
    Clock::time_point created_at;
    std::optional<Clock::time_point> started_at;
    std::optional<Clock::time_point> ended_at;
    StartEvent start;
    std::int64_t tokens = 0;
    std::optional<EndEvent> end;
    std::string text;  ///< only when asked for
  };
  Snapshot snapshot(bool with_text) const;
  JobState state() const;
  std::optional<Clock::time_point> ended_at() const;

  /// What comes after a place in the stream.
  struct Events {
    bool started = false;  ///< the started event may be sent
    std::vector<TokenEvent> tokens;
    std::vector<JobMetrics> metrics;
    bool complete = false;  ///< ended, and nothing is left after these
  };
  /// At most `most` tokens from `from_token` on, and the metrics from `from_metrics` on that belong
  /// before the end of these tokens.
  Events events(std::int64_t from_token, std::size_t from_metrics, std::size_t most) const;

  /// The prompt's tokens, when their logprobs were asked for; complete once there is a token, or
  /// the end.
  std::vector<TokenEvent> prompt() const;

  /// Rough size in memory.
  std::size_t bytes() const;

 private:
  void finish_locked(JobState state, const EndEvent& event);

  const Settings settings_;
  const std::function<void(const EndEvent&)> on_finished_;
  const Clock::time_point created_at_;
  Wakeups readers_;

  mutable std::mutex mutex_;
  JobState state_ = JobState::queued;
  std::optional<Clock::time_point> started_at_;
  std::optional<Clock::time_point> ended_at_;
  std::chrono::steady_clock::time_point first_token_at_;
  std::chrono::steady_clock::time_point metrics_at_;
  StartEvent start_;
  std::vector<TokenEvent> prompt_;
  std::vector<TokenEvent> tokens_;
  std::vector<JobMetrics> metrics_;
  std::optional<EndEvent> end_;
  std::size_t bytes_ = 0;
  std::function<void()> cancel_;
  bool cancel_wanted_ = false;
};

}  // namespace llm::server
