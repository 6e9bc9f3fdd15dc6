#include "engine/step_cost.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace llm::engine {
namespace {

constexpr double kFirstWork = 32;  // before anything is known
constexpr double kLeastWork = 8;   // less would read all weights for next to nothing
constexpr double kAim = 0.9;       // of the gap, before what steps vary by
constexpr double kMostExcess = 1.6;
constexpr double kSliceGapsWithoutStreams = 4;
constexpr double kLeastPrefillPerDecode = 0.25;  // of the time

}  // namespace

void RecentMedian::add(double value) {
  values_[count_++ % kWindow] = value;
  std::array<double, kWindow> sorted = values_;
  const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(std::min(count_, kWindow));
  // Of an even number, the higher middle: rather a slice too short than a gap too long.
  const auto middle = sorted.begin() + (end - sorted.begin()) / 2;
  std::nth_element(sorted.begin(), middle, end);
  median_ = *middle;
}

void RecentExcess::add(double ratio) {
  ratios_[count_++ % kWindow] = ratio <= kMostExcess ? ratio : 1;
  largest_ =
      std::max(count_ < kFew ? kFirst : 1.0, *std::max_element(ratios_.begin(), ratios_.end()));
}

std::size_t StepCost::size_class(std::int64_t decodes) {
  const auto width =
      static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(decodes - 1)));
  return std::min(width, kClasses - 1);
}

double StepCost::decode_ms(std::int64_t decodes) const {
  if (decodes <= 0) return 0;
  const std::size_t own = size_class(decodes);
  if (!decode_ms_[own].empty()) return decode_ms_[own].get();
  // From a smaller batch: each further sequence costs at most what a row of a prompt does.
  for (std::size_t smaller = own; smaller-- > 0;) {
    if (decode_ms_[smaller].empty()) continue;
    const auto measured = static_cast<double>(std::int64_t{1} << smaller);
    return decode_ms_[smaller].get() +
           std::max(0.0, static_cast<double>(decodes) - measured) * ms_per_work();
  }
  for (std::size_t larger = own + 1; larger < kClasses; ++larger) {
    if (!decode_ms_[larger].empty()) return decode_ms_[larger].get();
  }
  return static_cast<double>(decodes) * ms_per_work();
}

double StepCost::prefill_work(std::int64_t decodes, double gap_share) const {
  if (max_gap_ms_ <= 0) return std::numeric_limits<double>::infinity();
  if (ms_per_work_.empty()) return kFirstWork;
  const double decode = decode_ms(decodes);
  const double gap_ms = gap_share * max_gap_ms_;
  const bool streams = decodes > 0 || gap_share < 1;
  const double budget =
      streams ? std::max(kAim / excess_.get() * gap_ms - decode, decode * kLeastPrefillPerDecode)
              : gap_ms * kSliceGapsWithoutStreams;
  // Larger slices than were ever measured are approached in steps.
  const double trusted = 2 * largest_work_;
  return std::max(std::min(budget / ms_per_work(), trusted), kLeastWork);
}

void StepCost::observe(const StepLoad& load, double ms) {
  if (load.prefills == 0) {
    if (load.decodes > 0) decode_ms_[size_class(load.decodes)].add(ms);
    return;
  }
  const double expected = decode_ms(load.decodes) + ms_per_work() * load.prefill_work;
  if (load.decodes > 0 && !ms_per_work_.empty()) excess_.add(ms / expected);
  // What decoding would have taken alone is an estimate, and may be too high: at least half of an
  // even share is taken to be the prompts'.
  const double share = load.prefill_work / (load.prefill_work + static_cast<double>(load.decodes));
  const double prefill_ms = std::max(ms - decode_ms(load.decodes), 0.5 * share * ms);
  ms_per_work_.add(prefill_ms / load.prefill_work);
  largest_work_ = std::max(largest_work_, load.prefill_work);
}

}  // namespace llm::engine
