// Selection among many tokens without sorting them: the k best, and the shortest leading part that
// holds a given probability mass. Each costs time linear in its input. Probabilities are integers
// (kOne = the likeliest token), so a sum does not depend on the order of its terms and the result
// of a selection not on how it is done.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

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
inline bool higher_weight(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}
inline bool lower_id(const Candidate& a, const Candidate& b) { return a.id < b.id; }

/// Replaces `out` by the k tokens with the highest logits (ties: the lower id first), in no
/// particular order and with weight 0. Tokens at -infinity are never chosen. k >= 1; no NaN.
void select_top_k(std::span<const float> logits, std::size_t k, std::vector<Candidate>& out);

inline Weight total_weight(std::span<const Candidate> candidates) {
  return std::accumulate(candidates.begin(), candidates.end(), Weight{0},
                         [](Weight sum, const Candidate& c) { return sum + c.weight; });
}

/// Length of the shortest prefix, in the order `before` (strict and total), that weighs at least
/// `target`; 1 <= target <= the total weight. Reorders the candidates so that this prefix is at the
/// front with its last element at its end.
template <class Before>
std::size_t shortest_prefix(std::span<Candidate> candidates, Weight target, Before before) {
  std::size_t begin = 0;  // the answer is in (begin, end]
  std::size_t end = candidates.size();
  while (end - begin > 1) {
    const std::size_t middle = begin + (end - begin) / 2;
    const auto first = candidates.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto split = candidates.begin() + static_cast<std::ptrdiff_t>(middle);
    std::nth_element(first, split, candidates.begin() + static_cast<std::ptrdiff_t>(end), before);
    const Weight lower = total_weight(candidates.subspan(begin, middle - begin));
    if (lower >= target) {
      end = middle;
    } else {
      target -= lower;
      begin = middle;
    }
  }
  return end;
}

}  // namespace llm::sampling
