#include "server/job.h"

#include <algorithm>
#include <utility>

namespace llm::server {
namespace {

std::size_t bytes_of(const TokenEvent& event) {
  return sizeof(TokenEvent) + event.text.size() + event.alternatives.size() * sizeof(TokenLogprob);
}

}  // namespace

std::string_view to_string(JobState state) {
  switch (state) {
    case JobState::queued:
      return "queued";
    case JobState::running:
      return "running";
    case JobState::done:
      return "done";
    case JobState::failed:
      return "failed";
    case JobState::cancelled:
      return "cancelled";
  }
  return "?";
}

std::string_view wire_name(StopReason reason) {
  switch (reason) {
    case StopReason::eos:
      return "EOS";
    case StopReason::max_tokens:
      return "MAX_TOKENS";
    case StopReason::stop_sequence:
      return "STOP_SEQUENCE";
    case StopReason::cancelled:
      return "CANCELLED";
    case StopReason::error:
      return "ERROR";
  }
  return "?";
}

std::string_view job_error_code(StatusCode code) {
  switch (code) {
    case StatusCode::invalid_argument:
      return "INVALID_REQUEST";
    case StatusCode::deadline_exceeded:
      return "TIMEOUT";
    case StatusCode::cancelled:
      return "CANCELLED";
    case StatusCode::resource_exhausted:
      return "OUT_OF_MEMORY";
    default:
      return "INFERENCE_FAILED";
  }
}

Job::Job(Settings settings, std::function<void(const EndEvent&)> on_finished)
    : settings_(std::move(settings)),
      on_finished_(std::move(on_finished)),
      created_at_(Clock::now()),
      start_(settings_.requested) {}

void Job::on_start(const StartEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ != JobState::queued) return;
    state_ = JobState::running;
    started_at_ = Clock::now();
    start_ = event;
  }
  readers_.notify();
}

void Job::on_prompt_token(const TokenEvent& event) {
  const std::lock_guard lock(mutex_);
  prompt_.push_back(event);
  bytes_ += bytes_of(event);
}

void Job::on_token(const TokenEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ != JobState::running) return;  // cancelled meanwhile: readers have seen the end
    const auto now = std::chrono::steady_clock::now();
    if (tokens_.empty()) first_token_at_ = metrics_at_ = now;
    tokens_.push_back(event);
    bytes_ += bytes_of(event);
    if (now - metrics_at_ >= std::chrono::seconds(1)) {
      const double seconds = std::chrono::duration<double>(now - first_token_at_).count();
      metrics_.push_back({.tokens = static_cast<std::int64_t>(tokens_.size()),
                          .tokens_per_second = static_cast<double>(tokens_.size() - 1) / seconds});
      metrics_at_ = now;
    }
  }
  readers_.notify();
}

void Job::on_end(const EndEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    if (!end_) {
      const JobState state = event.reason == StopReason::cancelled ? JobState::cancelled
                             : event.reason == StopReason::error   ? JobState::failed
                                                                   : JobState::done;
      finish_locked(state, event);
    }
    cancel_ = nullptr;
    cancel_wanted_ = false;
  }
  readers_.notify();
  on_finished_(event);
}

void Job::set_cancel(std::function<void()> cancel) {
  {
    const std::lock_guard lock(mutex_);
    if (!cancel_wanted_) {
      // Ended before the id was known: there is nothing left to cancel.
      if (!end_) cancel_ = std::move(cancel);
      return;
    }
  }
  cancel();
}

bool Job::cancel(std::string_view why) {
  std::function<void()> cancel;
  {
    const std::lock_guard lock(mutex_);
    if (end_) return false;
    EndEvent end;
    end.reason = StopReason::cancelled;
    end.error = Status(StatusCode::cancelled, std::string(why));
    end.prompt_tokens = start_.prompt_tokens;
    end.tokens_out = static_cast<std::int64_t>(tokens_.size());
    finish_locked(JobState::cancelled, end);
    cancel = std::exchange(cancel_, nullptr);
    cancel_wanted_ = !cancel;
  }
  if (cancel) cancel();
  readers_.notify();
  return true;
}

void Job::finish_locked(JobState state, const EndEvent& event) {
  state_ = state;
  ended_at_ = Clock::now();
  end_ = event;
}

Wakeups::Id Job::add_reader(std::function<void()> wake) { return readers_.add(std::move(wake)); }

void Job::remove_reader(Wakeups::Id id) {
  if (readers_.remove(id) == 0) cancel("the client left");
}

Job::Snapshot Job::snapshot(bool with_text) const {
  const std::lock_guard lock(mutex_);
  Snapshot result{.state = state_,
                  .created_at = created_at_,
                  .started_at = started_at_,
                  .ended_at = ended_at_,
                  .start = start_,
                  .tokens = static_cast<std::int64_t>(tokens_.size()),
                  .end = end_,
                  .text = {}};
  if (with_text) {
    for (const TokenEvent& token : tokens_) result.text += token.text;
  }
  return result;
}

JobState Job::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::optional<Job::Clock::time_point> Job::ended_at() const {
  const std::lock_guard lock(mutex_);
  return ended_at_;
}

Job::Events Job::events(std::int64_t from_token, std::size_t from_metrics, std::size_t most) const {
  const std::lock_guard lock(mutex_);
  Events result;
  result.started = state_ != JobState::queued;
  const std::size_t first = std::min(tokens_.size(), static_cast<std::size_t>(from_token));
  const std::size_t last = std::min(tokens_.size(), first + most);
  result.tokens.assign(tokens_.begin() + static_cast<std::ptrdiff_t>(first),
                       tokens_.begin() + static_cast<std::ptrdiff_t>(last));
  for (std::size_t m = from_metrics; m < metrics_.size(); ++m) {
    if (metrics_[m].tokens > static_cast<std::int64_t>(last)) break;
    result.metrics.push_back(metrics_[m]);
  }
  result.complete = end_.has_value() && last == tokens_.size();
  return result;
}

std::vector<TokenEvent> Job::prompt() const {
  const std::lock_guard lock(mutex_);
  return prompt_;
}

std::size_t Job::bytes() const {
  const std::lock_guard lock(mutex_);
  return sizeof(Job) + bytes_;
}

}  // namespace llm::server
