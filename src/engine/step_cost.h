// StepCost: how long steps take here, learnt from those that ran, and how much of a prompt the next
// step may therefore hold. Estimates are medians over the last few steps, so a machine that is busy
// with something else now and then does not throw them off; they follow lasting changes within a
// few steps. No clock of its own; one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace llm::engine {

/// Median of the last few values; 0 before the first.
class RecentMedian {
 public:
  void add(double value);
  double get() const { return median_; }
  bool empty() const { return count_ == 0; }

 private:
  static constexpr std::size_t kWindow = 9;  // up to four of them may be far off
  std::array<double, kWindow> values_{};
  std::size_t count_ = 0;
  double median_ = 0;
};

/// By how much steps exceed what was expected of them: the largest ratio among the last many. Steps
/// that took far longer were disturbed by something that no reserve would cover; they do not count.
class RecentExcess {
 public:
  void add(double ratio);
  double get() const { return largest_; }  ///< 1 or more

 private:
  static constexpr std::size_t kWindow = 128;
  static constexpr std::size_t kFew = 32;  // seen: not yet enough to expect less than
  static constexpr double kFirst = 1.15;   // this
  std::array<double, kWindow> ratios_{};
  std::size_t count_ = 0;
  double largest_ = kFirst;
};

/// What a step held.
struct StepLoad {
  std::int64_t decodes = 0;   ///< rows of sequences that had one token to compute
  std::int64_t prefills = 0;  ///< rows of prompts
  /// The same in units of a row at the start of a sequence; rows further on cost more.
  double prefill_work = 0;
};

class StepCost {
 public:
  /// `max_gap_ms`: time between two tokens of a stream that steps shall keep; 0: no limit.
  explicit StepCost(double max_gap_ms) : max_gap_ms_(max_gap_ms) {}

  /// Prefill work that the next step may hold beside `decodes` decoding sequences. While streams
  /// run, the step shall take no longer than the gap; when decoding alone takes (nearly) as long,
  /// prompts still get a fifth of the time. Without streams a step may take four gaps: larger
  /// slices are more efficient, and a request that arrives or is cancelled waits for one at most.
  /// Infinite when there is no limit. `gap_share`: how much of the gap is ours; the rest belongs to
  /// other engines, whose streams wait for our steps too.
  double prefill_work(std::int64_t decodes, double gap_share = 1) const;

  void observe(const StepLoad& load, double ms);

  /// Estimates; 0 before anything was measured.
  double decode_ms(std::int64_t decodes) const;
  double ms_per_work() const { return ms_per_work_.get(); }

 private:
  static std::size_t size_class(std::int64_t decodes);

  static constexpr std::size_t kClasses = 17;  // 1, 2, 3..4, 5..8, ... sequences
  double max_gap_ms_;
  std::array<RecentMedian, kClasses> decode_ms_;  // of steps without prefill
  RecentMedian ms_per_work_;
  RecentExcess excess_;      // of steps of streams and prompts together
  double largest_work_ = 0;  // that was measured
};

}  // namespace llm::engine
