#include "server/job_store.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/log.h"
#include "server/identity.h"

namespace llm::server {

// Shared with every job, because the engine may finish one after the store is gone.
struct JobStore::Load {
  mutable std::mutex mutex;
  std::size_t active = 0;
  double mean_job_seconds = 0;  ///< moving average; 0: nothing measured yet

  void finished(const EndEvent& event) {
    constexpr double kNewShare = 0.2;
    const double seconds = (event.prefill_ms + event.decode_ms) / 1000.0;
    const std::lock_guard lock(mutex);
    --active;
    if (!std::isfinite(seconds) || seconds <= 0) return;
    mean_job_seconds =
        mean_job_seconds == 0 ? seconds : (1 - kNewShare) * mean_job_seconds + kNewShare * seconds;
  }
};

std::shared_ptr<JobStore::Load> JobStore::make_load() { return std::make_shared<Load>(); }

Result<std::shared_ptr<Job>> JobStore::admit(Job::Settings settings, std::size_t capacity) {
  const std::lock_guard lock(mutex_);
  if (closed_) return core::unavailable("the worker is shutting down");
  {
    const std::lock_guard load_lock(load_->mutex);
    if (load_->active >= capacity) {
      return core::resource_exhausted("{} jobs are running or waiting, and no more are taken",
                                      load_->active);
    }
    ++load_->active;
  }
  settings.id = "job-" + random_uuid();
  settings.sequence = next_sequence_++;
  auto on_finished = [load = load_, id = settings.id,
                      request_id = settings.request_id](const EndEvent& event) {
    load->finished(event);
    core::log(
        core::LogLevel::info,
        "request_id={} {} ended: {}, {} tokens from {} in {:.1f} ms after {:.1f} ms of prefill",
        request_id, id, wire_name(event.reason), event.tokens_out, event.prompt_tokens,
        event.decode_ms, event.prefill_ms);
  };
  auto job = std::make_shared<Job>(std::move(settings), std::move(on_finished));
  jobs_.emplace(job->settings().id, job);
  return job;
}

void JobStore::withdraw(const Job& job) {
  const std::lock_guard lock(mutex_);
  if (jobs_.erase(job.settings().id) == 0) return;
  const std::lock_guard load_lock(load_->mutex);
  --load_->active;
}

std::shared_ptr<Job> JobStore::find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  return found == jobs_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Job>> JobStore::list() const {
  std::vector<std::shared_ptr<Job>> result;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, job] : jobs_) result.push_back(job);
  }
  std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) {
    return a->settings().sequence < b->settings().sequence;
  });
  return result;
}

std::int64_t JobStore::queue_position(const Job& job) const {
  const auto jobs = list();
  return std::count_if(jobs.begin(), jobs.end(), [&](const auto& other) {
    return other->settings().sequence < job.settings().sequence &&
           other->state() == JobState::queued;
  });
}

void JobStore::purge() {
  struct Ended {
    Job::Clock::time_point at;
    std::size_t bytes;
    std::string id;
  };
  std::vector<Ended> ended;
  for (const auto& job : list()) {
    if (const auto at = job->ended_at()) {
      ended.push_back({*at, job->bytes(), job->settings().id});
    }
  }
  std::sort(ended.begin(), ended.end(), [](const Ended& a, const Ended& b) { return a.at > b.at; });
  const auto now = Job::Clock::now();
  std::size_t kept_bytes = 0;
  std::size_t kept_jobs = 0;
  const std::lock_guard lock(mutex_);
  for (const Ended& job : ended) {  // newest first
    kept_bytes += job.bytes;
    ++kept_jobs;
    if (job.at + limits_.ttl < now || kept_bytes > limits_.ended_bytes ||
        kept_jobs > limits_.ended_jobs) {
      jobs_.erase(job.id);
    }
  }
}

std::size_t JobStore::active() const {
  const std::lock_guard lock(load_->mutex);
  return load_->active;
}

int JobStore::retry_after_seconds(int slots) const {
  constexpr double kLongestSeconds = 120;
  const std::lock_guard lock(load_->mutex);
  // A place is free once the first of the running jobs ends; on average that takes one job's time
  // divided by the number that run at once.
  const double seconds = load_->mean_job_seconds / std::max(slots, 1);
  return static_cast<int>(std::ceil(std::clamp(seconds, 1.0, kLongestSeconds)));
}

void JobStore::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

void JobStore::cancel_all(std::string_view why) {
  for (const auto& job : list()) job->cancel(why);
}

}  // namespace llm::server
