#include "server/job_store.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "server/identity.h"

namespace llm::server {

Result<std::shared_ptr<Job>> JobStore::admit(Job::Settings settings) {
  const std::lock_guard lock(mutex_);
  if (closed_) return core::unavailable("the worker is shutting down");
  if (settings.id.empty()) settings.id = "job-" + random_uuid();
  settings.sequence = next_sequence_++;
  auto on_finished = [counts = counts_, id = settings.id,
                      request_id = settings.request_id](const EndEvent& event) {
    --counts->active;
    ++counts->ended[static_cast<std::size_t>(event.reason)];
    core::log(
        core::LogLevel::info,
        "request_id={} {} ended: {}, {} tokens from {} in {:.1f} ms after {:.1f} ms of prefill{}{}",
        request_id, id, wire_name(event.reason), event.tokens_out, event.prompt_tokens,
        event.decode_ms, event.prefill_ms, event.error.ok() ? "" : ": ", event.error.message());
  };
  auto job = std::make_shared<Job>(std::move(settings), std::move(on_finished));
  jobs_.emplace(job->settings().id, job);
  ++counts_->active;
  return job;
}

void JobStore::withdraw(const Job& job) {
  const std::lock_guard lock(mutex_);
  if (jobs_.erase(job.settings().id) > 0) --counts_->active;
}

std::shared_ptr<Job> JobStore::find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  return found == jobs_.end() || !found->second->settings().listed ? nullptr : found->second;
}

std::vector<std::shared_ptr<Job>> JobStore::list() const {
  auto jobs = all();
  std::erase_if(jobs, [](const auto& job) { return !job->settings().listed; });
  return jobs;
}

std::vector<std::shared_ptr<Job>> JobStore::all() const {
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
  const auto jobs = all();
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
    bool keep;
  };
  std::vector<Ended> ended;
  for (const auto& job : all()) {
    if (const auto at = job->ended_at()) {
      ended.push_back({*at, job->bytes(), job->settings().id, job->settings().listed});
    }
  }
  std::sort(ended.begin(), ended.end(), [](const Ended& a, const Ended& b) { return a.at > b.at; });
  const auto now = Job::Clock::now();
  std::size_t kept_bytes = 0;
  std::size_t kept_jobs = 0;
  const std::lock_guard lock(mutex_);
  for (const Ended& job : ended) {  // newest first
    if (!job.keep) {
      jobs_.erase(job.id);
      continue;
    }
    kept_bytes += job.bytes;
    ++kept_jobs;
    if (job.at + limits_.ttl < now || kept_bytes > limits_.ended_bytes ||
        kept_jobs > limits_.ended_jobs) {
      jobs_.erase(job.id);
    }
  }
}

std::size_t JobStore::active() const { return counts_->active; }

void JobStore::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

void JobStore::cancel_all(std::string_view why) {
  for (const auto& job : all()) job->cancel(why);
}

}  // namespace llm::server
