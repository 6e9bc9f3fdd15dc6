#include "engine/machine_limits.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "core/aligned_buffer.h"
#include "core/error.h"
#include "core/memory.h"

namespace llm::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRounds = 5;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Sum of the words, in lanes that do not wait for each other.
std::uint64_t read_all(const std::byte* data, std::size_t bytes) {
  constexpr std::size_t kLanes = 16;
  constexpr std::size_t kPrefetchBytes = 4096;  // as far ahead as the kernels that stream weights
  static_assert(kLanes * sizeof(std::uint64_t) == 128, "two cache lines");
  std::uint64_t lanes[kLanes] = {};
  std::uint64_t words[kLanes];
  for (std::size_t at = 0; at + sizeof words <= bytes; at += sizeof words) {
    std::memcpy(words, data + at, sizeof words);
    __builtin_prefetch(data + at + kPrefetchBytes);
    __builtin_prefetch(data + at + kPrefetchBytes + 64);
    for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += words[lane];
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t lane : lanes) sum += lane;
  return sum;
}

std::size_t buffer_bytes() {
  constexpr std::size_t kLeast = std::size_t{256} << 20;
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  const std::size_t wanted = std::max(kLeast, cache > 0 ? 2 * static_cast<std::size_t>(cache) : 0);
  return std::min(wanted, core::available_memory().bytes / 4);
}

}  // namespace

Result<double> measure_read_bandwidth(core::ThreadPool& pool) {
  constexpr std::size_t kPiece = std::size_t{4} << 20;
  const std::size_t pieces = buffer_bytes() / kPiece;
  if (pieces == 0) return core::resource_exhausted("too little free memory to measure its speed");
  LLM_ASSIGN_OR_RETURN(auto buffer, core::AlignedBuffer::allocate(pieces * kPiece, "benchmark"));
  // Untouched pages would all be the same page of zeros.
  pool.parallel_for(static_cast<std::int64_t>(pieces), [&](std::int64_t piece, int) {
    std::memset(buffer.data() + static_cast<std::size_t>(piece) * kPiece, 1, kPiece);
  });
  std::atomic<std::uint64_t> sum{0};  // keeps the reads from being optimised away
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = Clock::now();
    pool.parallel_for(static_cast<std::int64_t>(pieces), [&](std::int64_t piece, int) {
      sum += read_all(buffer.data() + static_cast<std::size_t>(piece) * kPiece, kPiece);
    });
    best = std::max(best, static_cast<double>(buffer.size()) / seconds_since(start));
  }
  return sum.load() == 0 ? 0.0 : best;
}

double measure_peak_operations(const kernels::Ops& ops, kernels::InputFormat format,
                               core::ThreadPool& pool) {
  // Long enough that waking the threads does not count.
  constexpr double kSeconds = 0.05;
  std::int64_t iterations = 1024;
  double single = 0;
  while (single < kSeconds) {
    iterations *= 2;
    const auto start = Clock::now();
    ops.peak_loop(format, iterations);
    single = seconds_since(start);
  }
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<double> operations{0};
    const auto start = Clock::now();
    pool.parallel_for(pool.size(), [&](std::int64_t, int) {
      operations.fetch_add(ops.peak_loop(format, iterations));
    });
    best = std::max(best, operations.load() / seconds_since(start));
  }
  return best;
}

}  // namespace llm::engine
