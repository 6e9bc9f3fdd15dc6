#include "core/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace llm::core {
namespace {

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, EveryPieceRunsOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.size(), GetParam());
  for (const std::int64_t pieces : {0, 1, 2, 3, 7, 64, 1000}) {
    std::vector<std::atomic<int>> runs(static_cast<std::size_t>(pieces));
    std::atomic<int> bad_threads{0};
    pool.parallel_for(pieces, [&](std::int64_t piece, int thread) {
      runs[static_cast<std::size_t>(piece)].fetch_add(1);
      if (thread < 0 || thread >= pool.size()) bad_threads.fetch_add(1);
    });
    for (const auto& count : runs) EXPECT_EQ(count.load(), 1) << pieces << " pieces";
    EXPECT_EQ(bad_threads.load(), 0);
  }
}

TEST_P(ThreadPoolTest, NegativePiecesRunNothing) {
  ThreadPool pool(GetParam());
  pool.parallel_for(-3, [](std::int64_t, int) { ADD_FAILURE(); });
}

TEST_P(ThreadPoolTest, RangesCoverEverythingOnceInMultiplesOfTheLeast) {
  ThreadPool pool(GetParam());
  for (const std::int64_t count : {0, 1, 5, 64, 1001}) {
    for (const std::int64_t least : {1, 4}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
      std::atomic<int> short_ranges{0};
      pool.parallel_ranges(count, least, [&](std::int64_t begin, std::int64_t end, int thread) {
        EXPECT_GE(thread, 0);
        EXPECT_LT(thread, pool.size());
        EXPECT_LT(begin, end);
        if ((end - begin) % least != 0) ++short_ranges;
        for (std::int64_t n = begin; n < end; ++n) ++runs.at(static_cast<std::size_t>(n));
      });
      for (const auto& times : runs) EXPECT_EQ(times.load(), 1);
      EXPECT_LE(short_ranges.load(), 1);  // the last one
    }
  }
}

TEST_P(ThreadPoolTest, ManyShortLoopsSeeEachOthersWrites) {
  // Plain memory, no atomics: the end of a loop must publish it to the next one.
  ThreadPool pool(GetParam());
  std::vector<std::int64_t> values(37, 0);
  constexpr int kLoops = 3000;
  for (int loop = 0; loop < kLoops; ++loop) {
    pool.parallel_for(37,
                      [&](std::int64_t piece, int) { ++values[static_cast<std::size_t>(piece)]; });
  }
  for (const std::int64_t value : values) EXPECT_EQ(value, kLoops);
}

TEST_P(ThreadPoolTest, ThreadIndexOwnsItsScratch) {
  ThreadPool pool(GetParam());
  std::vector<std::int64_t> sums(static_cast<std::size_t>(pool.size()), 0);
  pool.parallel_for(1000, [&](std::int64_t piece, int thread) {
    sums[static_cast<std::size_t>(thread)] += piece;
  });
  std::int64_t total = 0;
  for (const std::int64_t sum : sums) total += sum;
  EXPECT_EQ(total, 999 * 1000 / 2);
}

TEST_P(ThreadPoolTest, SleepsWhenIdleAndWakes) {
  ThreadPool pool(GetParam());
  std::atomic<int> count{0};
  for (int round = 0; round < 20; ++round) {
    // Around the time that threads give up polling, where a wake-up could be lost.
    std::this_thread::sleep_for(std::chrono::microseconds(50 * round));
    pool.parallel_for(8, [&](std::int64_t, int) { count.fetch_add(1); });
  }
  EXPECT_EQ(count.load(), 160);
}

TEST_P(ThreadPoolTest, EndsWhileAsleepOrJustUsed) {
  for (int round = 0; round < 20; ++round) {
    ThreadPool pool(GetParam());
    if (round % 2 == 0) pool.parallel_for(4, [](std::int64_t, int) {});
    if (round % 5 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 4));

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

TEST(ThreadPool, IdleThreadsUseNoProcessorTime) {
  ThreadPool pool(4);
  pool.parallel_for(4, [](std::int64_t, int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const double before = cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(cpu_seconds() - before, 0.1);  // polling would cost up to 0.9
}

TEST(ThreadPool, DefaultCountIsPositive) { EXPECT_GE(default_thread_count(), 1); }

}  // namespace
}  // namespace llm::core
