// JobStore: all jobs by id, from admission until some time after their end. It counts those that
// are active (running or waiting in the engine, which bounds them) and bounds what ended ones keep
// in memory. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "llm/status.h"
#include "server/job.h"

namespace llm::server {

struct JobStoreLimits {
  std::chrono::milliseconds ttl = std::chrono::seconds(300);  ///< kept after the end
  std::size_t ended_jobs = 10000;                             ///< kept
  std::size_t ended_bytes = std::size_t{64} << 20U;           ///< kept by ended jobs together
};

class JobStore {
 public:
  explicit JobStore(JobStoreLimits limits) : limits_(limits) {}
  JobStore(const JobStore&) = delete;
  JobStore& operator=(const JobStore&) = delete;

  /// Makes and enters a job unless the store is closed (unavailable). The sequence of the settings
  /// is filled in, and the id if there is none.
  Result<std::shared_ptr<Job>> admit(Job::Settings settings);
  /// Takes back an admitted job that the engine refused.
  void withdraw(const Job& job);

  std::shared_ptr<Job> find(std::string_view id) const;  ///< of listed ones; null when unknown
  std::vector<std::shared_ptr<Job>> list() const;        ///< the listed ones in order of arrival
  /// Jobs before this one that have not started; 0 for the next in line.
  std::int64_t queue_position(const Job& job) const;

  /// Drops what ended longer than the time to live ago, and the oldest ended ones over the
  /// budgets; jobs that are not listed as soon as they have ended. To be called regularly.
  void purge();

  std::size_t active() const;
  /// Requests that have ended, by reason.
  std::uint64_t ended(StopReason reason) const {
    return counts_->ended[static_cast<std::size_t>(reason)];
  }

  /// No more admissions.
  void close();
  /// Cancels everything that has not ended.
  void cancel_all(std::string_view why);

 private:
  std::vector<std::shared_ptr<Job>> all() const;  ///< in order of arrival

  const JobStoreLimits limits_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Job>, std::less<>> jobs_;
  std::uint64_t next_sequence_ = 1;
  bool closed_ = false;

  struct Counts {
    std::atomic<std::size_t> active = 0;  ///< jobs that have not ended
    std::array<std::atomic<std::uint64_t>, 5> ended{};
  };
  static_assert(static_cast<std::size_t>(StopReason::error) == 4);
  /// Shared with every job, because the engine may finish one after the store is gone.
  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

}  // namespace llm::server
