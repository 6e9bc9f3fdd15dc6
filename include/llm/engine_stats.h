// EngineStats: what an engine has done and is doing, for metrics. Totals count from loading on and
// only grow. Plain value types.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace llm {

/// Times by size, as a Prometheus histogram wants them.
struct LatencyHistogram {
  /// Upper bounds in seconds, inclusive; one more bucket has no bound.
  static constexpr std::array<double, 17> kBounds = {
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250};

  std::array<std::uint64_t, kBounds.size() + 1> counts{};  ///< of each bucket, not accumulated
  std::uint64_t total = 0;
  double sum_seconds = 0;

  void add(double seconds) {
    std::size_t bucket = 0;
    while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
    ++counts[bucket];
    ++total;
    sum_seconds += seconds;
  }
};

struct EngineStats {
  int running = 0;    ///< sequences in the batch
  int waiting = 0;    ///< accepted, not started
  int preempted = 0;  ///< started, gave their pages back, wait to be resumed
  std::int64_t kv_pages_total = 0;
  std::int64_t kv_pages_used = 0;    ///< by running sequences
  std::int64_t kv_pages_cached = 0;  ///< used by nobody, kept for requests that begin alike
  /// Time until a request that is refused now might be accepted, from the measured rate.
  double estimated_wait_s = 0;

  std::uint64_t prompt_tokens = 0;     ///< of requests that started
  std::uint64_t cached_tokens = 0;     ///< of these, found in the prefix cache
  std::uint64_t generated_tokens = 0;  ///< end tokens not counted
  std::uint64_t computed_tokens = 0;   ///< rows of all steps, computed again after a preemption too
  std::uint64_t preemptions = 0;
  std::uint64_t timeouts = 0;  ///< requests that ended because of their timeout_ms
  std::uint64_t refused = 0;   ///< requests refused because the queue was full
  std::uint64_t steps = 0;
  std::uint64_t failed_steps = 0;
  double step_seconds = 0;  ///< time spent in steps
  /// Of the steps that only decode: their time and the bytes of weights, keys and values that they
  /// had to read. The quotient of two differences is the achieved bandwidth.
  double decode_seconds = 0;
  double decode_bytes = 0;
  LatencyHistogram first_token;  ///< from submit() to a request's first token
  LatencyHistogram token_gap;    ///< between two tokens of a request
};

}  // namespace llm
