#include "core/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <string>

#include "core/check.h"

namespace llm::core {
namespace {

// How long an idle thread polls before it sleeps: longer than the gap between two loops of a step,
// far shorter than a human notices.
constexpr auto kSpinTime = std::chrono::microseconds(200);

void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Polls `done` for kSpinTime, yielding the processor now and then; false when the time ran out.
template <class Predicate>
bool spin_until(Predicate done) {
  const auto deadline = std::chrono::steady_clock::now() + kSpinTime;
  for (;;) {
    for (int poll = 0; poll < 64; ++poll) {
      if (done()) return true;
      cpu_relax();
    }
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  LLM_CHECK(threads >= 1);
  workers_.reserve(static_cast<std::size_t>(threads - 1));
  for (int thread = 1; thread < threads; ++thread) {
    workers_.emplace_back([this, thread] { worker_main(thread); });
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  wake_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::parallel_for(std::int64_t pieces, FunctionRef<void(std::int64_t, int)> body) {
  if (pieces <= 0) return;
  if (workers_.empty() || pieces == 1) {
    for (std::int64_t piece = 0; piece < pieces; ++piece) body(piece, 0);
    return;
  }
  body_ = &body;
  pieces_ = pieces;
  next_piece_.store(0, std::memory_order_relaxed);
  // The last loop is closed and left by all, so nobody else writes the state now.
  state_.store((state_.load() & ~kLowBits) + kNextLoop + kOpen);
  if (sleepers_.load() != 0) wake_all();
  take_pieces(0);
  // All pieces are taken. A worker that has not joined by now (asleep, or the processor is busy
  // with something else) stays out; only those still at a piece are waited for.
  state_.fetch_and(~kOpen);
  while (!spin_until([&] { return (state_.load() & kActive) == 0; })) {
  }
}

void ThreadPool::parallel_ranges(std::int64_t count, std::int64_t least,
                                 FunctionRef<void(std::int64_t, std::int64_t, int)> body) {
  const std::int64_t share = workers_.empty() ? 1 : 2 * std::int64_t{size()};
  alignas(64) std::atomic<std::int64_t> next{0};
  parallel_for(size(), [&](std::int64_t, int thread) {
    std::int64_t begin = next.load(std::memory_order_relaxed);
    while (begin < count) {
      const std::int64_t left = count - begin;
      const std::int64_t end = begin + std::min(left, std::max(least, left / share / least * least));
      if (!next.compare_exchange_weak(begin, end, std::memory_order_relaxed)) continue;
      body(begin, end, thread);
      begin = next.load(std::memory_order_relaxed);
    }
  });
}

void ThreadPool::wake_all() {
  {
    const std::lock_guard lock(mutex_);
  }  // a worker between its check and its wait sees the change
  wake_.notify_all();
}

void ThreadPool::take_pieces(int thread) {
  for (;;) {
    const std::int64_t piece = next_piece_.fetch_add(1, std::memory_order_relaxed);
    if (piece >= pieces_) return;
    (*body_)(piece, thread);
  }
}

void ThreadPool::worker_main(int thread) {
  std::uint64_t done = 0;  // the loop this worker has taken part in, as in the state
  std::uint64_t state = 0;
  const auto called = [&] {
    state = state_.load();
    return stop_.load() || ((state & kOpen) != 0 && (state & ~kLowBits) != done);
  };
  for (;;) {
    if (!spin_until(called)) {
      std::unique_lock lock(mutex_);
      sleepers_.fetch_add(1);
      // Woken too late for one loop, it polls for the next: no condition is waited for here.
      if (!called()) wake_.wait(lock);
      sleepers_.fetch_sub(1);
      continue;
    }
    if (stop_.load()) return;
    if (!state_.compare_exchange_weak(state, state + 1)) continue;
    done = state & ~kLowBits;
    take_pieces(thread);
    state_.fetch_sub(1);
  }
}

int default_thread_count() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (::sched_getaffinity(0, sizeof mask, &mask) == 0) count = CPU_COUNT(&mask);
  // cgroup v2: "max 100000" or "<quota> <period>" in microseconds.
  std::ifstream limit("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (limit >> quota >> period && quota != "max" && period > 0) {
    const double allowed = std::strtod(quota.c_str(), nullptr) / period;
    if (allowed > 0) count = std::min(count, static_cast<int>(std::ceil(allowed)));
  }
  return std::max(count, 1);
}

}  // namespace llm::core
