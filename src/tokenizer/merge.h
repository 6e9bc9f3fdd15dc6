// The merge loop shared by the two kinds of byte pair encoding: symbols in a row, and repeatedly
// the best adjacent pair becomes one symbol; "best" is the lowest rank, ties to the leftmost. Short
// rows are scanned, long ones use a heap, so that the cost stays O(n log n).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace llm::tokenizer {

constexpr std::uint32_t kNoMerge = 0xFFFFFFFFu;

/// A piece of the word; `id` is negative when the vocabulary lacks it.
struct Symbol {
  std::uint32_t begin;  ///< byte position in the word
  std::uint32_t bytes;  ///< 0 once merged into its left neighbour
  std::int32_t id;
};

struct Merge {
  std::uint32_t rank = kNoMerge;  ///< kNoMerge: this pair does not merge
  std::int32_t id = -1;           ///< the merged symbol
};

/// Buffers of the merge loop, kept between words.
struct MergeScratch {
  struct Link {
    std::int32_t previous, next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::int32_t left, right;
    std::uint32_t bytes;  // of both symbols together, to recognise an outdated candidate
    std::int32_t id;
    // For a max-heap: the best candidate is the largest.
    bool operator<(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  std::vector<Symbol> symbols;
  std::vector<Link> links;
  std::vector<Candidate> heap;
};

constexpr std::size_t kScannedSymbols = 40;

template <class First, class Lookup>
void merge_by_scanning(std::vector<Symbol>& symbols, const First& first, const Lookup& lookup) {
  if (symbols.size() < 2) return;
  // Of the pair of symbols `at` and `at + 1`; apart, so that the search reads nothing else.
  std::array<std::uint32_t, kScannedSymbols> ranks;
  std::array<std::int32_t, kScannedSymbols> merged;
  std::size_t pairs = symbols.size() - 1;
  const auto look_up = [&](std::size_t at, const auto& how) {
    const Merge merge = how(symbols[at], symbols[at + 1]);
    ranks[at] = merge.rank;
    merged[at] = merge.id;
  };
  for (std::size_t at = 0; at < pairs; ++at) look_up(at, first);
  const auto close_gap = [&pairs](auto* items, std::size_t at) {
    std::memmove(items + at, items + at + 1, (pairs - at - 1) * sizeof(*items));
  };
  while (pairs > 0) {
    // Two passes, which compilers make quicker than one that keeps the place.
    std::uint32_t best_rank = kNoMerge;
    for (std::size_t at = 0; at < pairs; ++at) best_rank = std::min(best_rank, ranks[at]);
    if (best_rank == kNoMerge) break;
    std::size_t best = 0;
    while (ranks[best] != best_rank) ++best;
    symbols[best].bytes += symbols[best + 1].bytes;
    symbols[best].id = merged[best];
    close_gap(symbols.data() + 1, best);
    close_gap(ranks.data(), best);
    close_gap(merged.data(), best);
    --pairs;
    if (best > 0) look_up(best - 1, lookup);
    if (best < pairs) look_up(best, lookup);
  }
  symbols.resize(pairs + 1);
}

template <class First, class Lookup>
void merge_with_heap(MergeScratch& scratch, const First& first, const Lookup& lookup) {
  std::vector<Symbol>& symbols = scratch.symbols;
  auto& links = scratch.links;
  auto& heap = scratch.heap;
  const auto count = static_cast<std::int32_t>(symbols.size());
  const auto symbol = [&symbols](std::int32_t at) -> Symbol& {
    return symbols[static_cast<std::size_t>(at)];
  };
  const auto link = [&links](std::int32_t at) -> MergeScratch::Link& {
    return links[static_cast<std::size_t>(at)];
  };
  const auto candidate = [&](std::int32_t left, std::int32_t right, const auto& how) {
    const Merge merge = how(symbol(left), symbol(right));
    return MergeScratch::Candidate{merge.rank, left, right,
                                   symbol(left).bytes + symbol(right).bytes, merge.id};
  };
  const auto offer = [&](std::int32_t left, std::int32_t right) {
    if (left < 0 || right >= count) return;
    if (const auto one = candidate(left, right, lookup); one.rank != kNoMerge) {
      heap.push_back(one);
      std::push_heap(heap.begin(), heap.end());
    }
  };

  links.clear();
  heap.clear();
  for (std::int32_t at = 0; at < count; ++at) {
    links.push_back({at - 1, at + 1});
    if (at + 1 < count) {
      if (const auto one = candidate(at, at + 1, first); one.rank != kNoMerge) heap.push_back(one);
    }
  }
  std::make_heap(heap.begin(), heap.end());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    const MergeScratch::Candidate best = heap.back();
    heap.pop_back();
    Symbol& left = symbol(best.left);
    Symbol& right = symbol(best.right);
    if (left.bytes == 0 || right.bytes == 0 || left.bytes + right.bytes != best.bytes) continue;
    left.bytes = best.bytes;
    left.id = best.id;
    right.bytes = 0;
    const std::int32_t next = link(best.right).next;
    link(best.left).next = next;
    if (next < count) link(next).previous = best.left;
    offer(link(best.left).previous, best.left);
    offer(best.left, next);
  }
  std::erase_if(symbols, [](const Symbol& one) { return one.bytes == 0; });
}

/// Merges scratch.symbols in place. `lookup(left, right)` gives the Merge of two adjacent symbols;
/// `first` gives the same for the symbols as they come, where there is a quicker way.
template <class First, class Lookup>
void merge_symbols(MergeScratch& scratch, const First& first, const Lookup& lookup) {
  if (scratch.symbols.size() <= kScannedSymbols) {
    merge_by_scanning(scratch.symbols, first, lookup);
  } else {
    merge_with_heap(scratch, first, lookup);
  }
}

}  // namespace llm::tokenizer
