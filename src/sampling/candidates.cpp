#include "sampling/candidates.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

namespace llm::sampling {
namespace {

// The last candidate of a leading part in the order (key falling, id rising): everything with a
// higher key belongs to it, and of those with this key the first few.
struct Cut {
  std::uint32_t key = 0;
  std::size_t ties = 0;
};

// The shortest leading part whose measures add up to `target`: >= 1, and no more than they all do.
// A radix selection: sums by the upper digit of the key tell in which digit the part ends, and only
// the candidates of that digit are looked at further.
template <class Key, class Measure>
Cut find_cut(std::span<const Candidate> candidates, std::uint64_t target, Key key_of,
             Measure measure_of) {
  constexpr int kDigitBits = 11;
  Cut cut;
  int shift = 32;  // bits of the key that are not known yet
  while (shift > 0) {
    const int known = shift;
    shift = std::max(0, shift - kDigitBits);
    const std::uint32_t digits = 1U << (known - shift);
    std::array<std::uint64_t, 1U << kDigitBits> sums{};
    for (const Candidate& candidate : candidates) {
      const std::uint32_t key = key_of(candidate);
      if (known < 32 && key >> known != cut.key >> known) continue;
      sums[key >> shift & (digits - 1)] += measure_of(candidate);
    }
    std::uint32_t digit = digits - 1;
    while (sums[digit] < target) target -= sums[digit--];
    cut.key |= digit << shift;
  }
  for (const Candidate& candidate : candidates) {
    if (key_of(candidate) != cut.key) continue;
    ++cut.ties;
    const std::uint64_t measure = measure_of(candidate);
    if (measure >= target) break;
    target -= measure;
  }
  return cut;
}

template <class Key>
void keep_until(std::vector<Candidate>& candidates, Cut cut, Key key_of) {
  std::size_t kept = 0;
  for (const Candidate& candidate : candidates) {
    const std::uint32_t key = key_of(candidate);
    const bool tie = key == cut.key && cut.ties > 0;
    cut.ties -= tie ? 1 : 0;
    // Always written, so that there is no jump to guess.
    candidates[kept] = candidate;
    kept += key > cut.key || tie ? 1 : 0;
  }
  candidates.resize(kept);
}

// Rises with the logit; the same for both zeros.
std::uint32_t logit_key(const Candidate& candidate) {
  const auto bits = std::bit_cast<std::uint32_t>(candidate.logit + 0.0F);
  return (bits & 0x8000'0000U) != 0 ? ~bits : bits | 0x8000'0000U;
}

// Rises with the weight, exactly: an f32 holds every weight. Its exponent leads, so light
// candidates are told apart as well as heavy ones.
std::uint32_t weight_key(const Candidate& candidate) {
  return std::bit_cast<std::uint32_t>(
      static_cast<float>(static_cast<std::int64_t>(candidate.weight)));
}

void keep_highest(std::vector<Candidate>& candidates, std::size_t k) {
  if (candidates.size() <= k) return;
  const Cut cut = find_cut(candidates, k, logit_key, [](const Candidate&) { return 1U; });
  keep_until(candidates, cut, logit_key);
}

// Tells tokens that can be among the k best from those that cannot.
struct Threshold {
  float logit = -std::numeric_limits<float>::infinity();
  bool reached_is_enough = false;  // or must it be exceeded?

  bool lets_pass(float value) const { return reached_is_enough ? value >= logit : value > logit; }
};

// What at least k tokens reach when k blocks do. `buffer` is overwritten.
Threshold first_threshold(const ScannedRow& row, std::size_t k, std::vector<Candidate>& buffer) {
  if (k > row.block_highest.size()) return {};
  buffer.clear();
  for (const float highest : row.block_highest) buffer.push_back({highest, 0, 0});
  const auto kth = buffer.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(buffer.begin(), kth, buffer.end(), higher_logit);
  if (kth->logit == -std::numeric_limits<float>::infinity()) return {};
  return {kth->logit, true};
}

}  // namespace

void select_top_k(const ScannedRow& row, std::size_t k, std::vector<Candidate>& out) {
  k = std::min(k, row.logits.size());
  // What passes is gathered, and cut back to k when there is too much of it.
  const std::size_t capacity = std::max<std::size_t>(4 * k, 4096);
  Threshold threshold = first_threshold(row, k, out);
  out.clear();
  for (std::size_t block = 0; block < row.block_highest.size(); ++block) {
    if (!threshold.lets_pass(row.block_highest[block])) continue;
    const std::span<const float> logits = row.block(block);
    for (std::size_t t = 0; t < logits.size(); ++t) {
      if (!threshold.lets_pass(logits[t])) continue;
      out.push_back({logits[t], static_cast<std::int32_t>(block * kBlockTokens + t), 0});
      if (out.size() < capacity) continue;
      keep_highest(out, k);
      // Ids rise, so from now on a tie with the k-th best loses.
      threshold = {std::max_element(out.begin(), out.end(), higher_logit)->logit, false};
    }
  }
  keep_highest(out, k);
}

void keep_heaviest(std::vector<Candidate>& candidates, Weight target) {
  const Cut cut = find_cut(candidates, target, weight_key,
                           [](const Candidate& candidate) { return candidate.weight; });
  keep_until(candidates, cut, weight_key);
}

}  // namespace llm::sampling
