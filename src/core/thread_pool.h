// ThreadPool: a fixed set of threads that run the pieces of one parallel loop at a time. The caller
// takes part. Which thread runs which piece is not defined, so pieces must not depend on it; the
// number of threads then cannot change a result. Threads spin briefly between loops (a decode step
// is a few hundred short loops) and sleep when idle. One caller at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "core/function_ref.h"

namespace llm::core {

class ThreadPool {
 public:
  /// `threads` >= 1, the caller included.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls `body(piece, thread)` once for every piece in [0, pieces); returns when all are done.
  /// `thread` in [0, size()) names the running thread, for scratch memory. `body` must not throw.
  void parallel_for(std::int64_t pieces, FunctionRef<void(std::int64_t piece, int thread)> body);

  /// Calls `body(begin, end, thread)` for ranges that together are [0, count), in order of their
  /// begin; returns when all are done. Ranges shrink towards the end, to `least`, in multiples of it:
  /// each thread reads long runs, and all end together (guided self-scheduling, Polychronopoulos
  /// and Kuck 1987).
  void parallel_ranges(std::int64_t count, std::int64_t least,
                       FunctionRef<void(std::int64_t begin, std::int64_t end, int thread)> body);

 private:
  void worker_main(int thread);
  void take_pieces(int thread);
  void wake_all();

  std::vector<std::thread> workers_;

  // The current loop; written by the caller before it opens it.
  const FunctionRef<void(std::int64_t, int)>* body_ = nullptr;
  std::int64_t pieces_ = 0;
  alignas(64) std::atomic<std::int64_t> next_piece_{0};

  // Number of the loop, whether workers may join it, and how many are in it, in one word: a worker
  // joins by raising the count of an open loop, so a closed loop with count 0 is over for good.
  static constexpr std::uint64_t kActive = 0xFFFF;
  static constexpr std::uint64_t kOpen = 1U << 16;
  static constexpr std::uint64_t kLowBits = kActive | kOpen;
  static constexpr std::uint64_t kNextLoop = 1U << 17;
  alignas(64) std::atomic<std::uint64_t> state_{0};
  std::atomic<bool> stop_{false};

  std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

/// Physical parallelism available to this process: its affinity mask, cut by a cgroup CPU quota.
int default_thread_count();

}  // namespace llm::core
