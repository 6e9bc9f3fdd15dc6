// MergeTable: which pairs of tokens merge, and into what. A hash table with a filter in front: most
// pairs that a text offers do not merge, and the filter, small enough for the cache, says so for
// nearly all of them. Immutable after finish().
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tokenizer/hash.h"
#include "tokenizer/merge.h"

namespace llm::tokenizer {

class MergeTable {
 public:
  /// For up to `merges` merges.
  explicit MergeTable(std::size_t merges = 0)
      : slots_(std::bit_ceil(merges + merges / 2 + 1)), filter_(std::bit_ceil(merges / 8 + 1)) {}

  /// Of two merges of the same pair, the later one counts.
  void set(std::int32_t left, std::int32_t right, Merge merge) {
    const std::uint64_t pair = pair_of(left, right), hash = hash_of(pair);
    std::size_t place = hash & (slots_.size() - 1);
    while (slots_[place].merge.id >= 0 && slots_[place].pair != pair) {
      place = (place + 1) & (slots_.size() - 1);
    }
    slots_[place] = {pair, merge};
    filter_[filter_place(hash)] |= filter_bit(hash);
  }

  Merge find(std::int32_t left, std::int32_t right) const {
    const std::uint64_t pair = pair_of(left, right), hash = hash_of(pair);
    if ((filter_[filter_place(hash)] & filter_bit(hash)) == 0) return {};
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t place = hash & mask; slots_[place].merge.id >= 0; place = (place + 1) & mask) {
      if (slots_[place].pair == pair) return slots_[place].merge;
    }
    return {};
  }

 private:
  struct Slot {
    std::uint64_t pair = ~std::uint64_t{0};
    Merge merge;
  };

  static std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 |
           static_cast<std::uint32_t>(right);
  }
  static std::uint64_t hash_of(std::uint64_t pair) { return mix_bits(pair, 0x9E3779B97F4A7C15u); }
  // Eight to sixteen bits for each merge.
  std::size_t filter_place(std::uint64_t hash) const { return (hash >> 38) & (filter_.size() - 1); }
  static std::uint64_t filter_bit(std::uint64_t hash) {
    return std::uint64_t{1} << (hash >> 32 & 63);
  }

  std::vector<Slot> slots_;            // open addressing
  std::vector<std::uint64_t> filter_;  // a bit for each hash that occurs
};

}  // namespace llm::tokenizer
