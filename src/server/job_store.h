// JobStore: all jobs by id, from admission until some time after their end. It bounds how many are
// active (running or waiting in the engine) and how much ended ones keep in memory. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
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

  /// Makes and enters a job unless `capacity` are active already (resource_exhausted) or the store
  /// is closed (unavailable). Id and sequence of the settings are filled in.
  Result<std::shared_ptr<Job>> admit(Job::Settings settings, std::size_t capacity);
  /// Takes back an admitted job that the engine refused.
  void withdraw(const Job& job);

  std::shared_ptr<Job> find(std::string_view id) const;  ///< null when unknown
  std::vector<std::shared_ptr<Job>> list() const;        ///< in order of arrival
  /// Jobs before this one that have not started; 0 for the next in line.
  std::int64_t queue_position(const Job& job) const;

  /// Drops what ended longer than the time to live ago, and the oldest ended ones over the
  /// budgets. To be called regularly.
  void purge();

  std::size_t active() const;
  /// Seconds after which a place is likely to be free, from the measured time per job.
  int retry_after_seconds(int slots) const;

  /// No more admissions.
  void close();
  /// Cancels everything that has not ended.
  void cancel_all(std::string_view why);

 private:
  struct Load;

  const JobStoreLimits limits_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Job>, std::less<>> jobs_;
  std::uint64_t next_sequence_ = 1;
  bool closed_ = false;
  std::shared_ptr<Load> load_ = make_load();

  static std::shared_ptr<Load> make_load();
};

}  // namespace llm::server
