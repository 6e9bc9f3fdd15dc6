// Selection among many tokens without sorting them: the k best, and the shortest leading part that
// holds a given probability mass. Each costs time linear in its input. Probabilities are integers
// (kOne = the likeliest token), so a sum does not depend on the order of its terms and the result
// of a selection not on how it is done. Candidates are in the order of their ids throughout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "sampling/scan.h"

namespace llm::sampling {

using Weight = std::uint64_t;
/// Weight of probability "as likely as the likeliest token". 2^23 tokens of this weight still sum
/// to less than 2^63.
inline constexpr Weight kOne = Weight{1} << 40;

struct Candidate {
  float logit = 0;
  std::int32_t id = 0;
  Weight weight = 0;
};

inline bool higher_logit(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

inline Weight total_weight(std::span<const Candidate> candidates) {
  return std::accumulate(candidates.begin(), candidates.end(), Weight{0},
                         [](Weight sum, const Candidate& c) { return sum + c.weight; });
}

/// Replaces `out` by the k tokens with the highest logits (ties: the lower id first), with weight
/// 0. Tokens at -infinity are never chosen. k >= 1.
void select_top_k(const ScannedRow& row, std::size_t k, std::vector<Candidate>& out);

/// Leaves the fewest of the heaviest candidates (ties: the lower id first) that weigh at least
/// `target` together; 1 <= target <= the total weight. Weights are at most kOne and have no more
/// significant bits than an f32.
void keep_heaviest(std::vector<Candidate>& candidates, Weight target);

}  // namespace llm::sampling
