// PrefixIndex: which pages of the KV cache hold known content. What a page holds is determined by
// its own tokens and by everything before them, so the pages form a tree: each is found by the
// prefix it continues and its tokens. Both are compared, not only their hash: two contents never
// pass for each other. All memory is taken at construction. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernels.h"

namespace llm::engine {

/// Names the beginning of a sequence, a whole number of pages long. Never used again for another.
using PrefixId = std::uint64_t;

class PrefixIndex {
 public:
  /// `seed` changes where entries lie in the table, so that nobody can choose tokens whose search
  /// takes long; never what is found.
  PrefixIndex(std::int64_t pages, std::uint64_t seed);

  /// The empty beginning of sequences whose keys are rotated alike (models::Rope::epoch).
  static PrefixId root(std::int64_t epoch) { return ~static_cast<PrefixId>(epoch); }

  /// The page that continues `before` with exactly these tokens (kKvPageTokens of them), or -1.
  std::int32_t find(PrefixId before, std::span<const std::int32_t> tokens) const;
  /// Enters a page that is not in the index, with content that is not in it either.
  PrefixId insert(std::int32_t page, PrefixId before, std::span<const std::int32_t> tokens);
  void erase(std::int32_t page);

  bool contains(std::int32_t page) const { return entry(page).id != 0; }
  /// The prefix that ends with this page.
  PrefixId id(std::int32_t page) const { return entry(page).id; }

  /// Memory of an index of that many pages.
  static std::size_t bytes_for(std::int64_t pages);

 private:
  struct Entry {
    PrefixId id = 0;  // 0: not in the index
    PrefixId before = 0;
    std::int32_t next = -1;  // in the same bucket
    std::array<std::int32_t, kernels::kKvPageTokens> tokens{};
  };

  static std::size_t buckets_for(std::int64_t pages);
  const Entry& entry(std::int32_t page) const { return entries_[static_cast<std::size_t>(page)]; }
  Entry& entry(std::int32_t page) { return entries_[static_cast<std::size_t>(page)]; }
  std::size_t bucket(PrefixId before, std::span<const std::int32_t> tokens) const;

  std::vector<Entry> entries_;         // by page
  std::vector<std::int32_t> buckets_;  // first page of each, or -1
  std::uint64_t seed_;
  PrefixId last_id_ = 0;
};

}  // namespace llm::engine
