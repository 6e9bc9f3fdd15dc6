// BlockManager: who uses which page of the KV cache. A page is free, or used by one or more
// sequences, or cached: nobody uses it, but its content is known and may be wanted again. When no
// page is free, the cached one that was used least recently gives way. Only full pages are shared,
// so a page is never written while another sequence reads it. Not thread-safe; the engine thread
// owns it. Nothing is allocated after construction.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/prefix_index.h"

namespace llm::engine {

/// The pages of one sequence, in order of position. Filled and emptied by the block manager alone.
struct PageTable {
  std::vector<std::int32_t> pages;
  std::int64_t indexed = 0;                ///< leading pages whose content is in the prefix index
  PrefixId prefix = PrefixIndex::root(0);  ///< what these pages hold together
};

class BlockManager {
 public:
  /// Without `prefix_cache` no page is shared or outlives its sequence.
  BlockManager(std::int64_t pages, bool prefix_cache);

  std::int64_t total() const { return static_cast<std::int64_t>(uses_.size()); }
  /// Pages that grow() can hand out: free and cached ones.
  std::int64_t available() const { return static_cast<std::int64_t>(free_.size()) + cached_count_; }
  std::int64_t cached() const { return cached_count_; }
  std::int64_t used() const { return total() - available(); }
  bool prefix_cache() const { return prefix_cache_; }

  /// Pages needed for that many positions.
  static std::int64_t pages_for(std::int64_t positions);
  /// Memory of the tables for so many pages.
  static std::size_t bytes_for(std::int64_t pages);

  /// Makes an empty table the beginning of a sequence whose keys are rotated that way
  /// (models::Rope::epoch).
  void begin(PageTable& table, std::int64_t epoch) const;
  /// Adds pages until there is room for so many positions; false, and nothing changes, when too
  /// few are available.
  [[nodiscard]] bool grow(PageTable& table, std::int64_t positions);
  /// Gives all pages back; those with known content stay cached.
  void release(PageTable& table);

  /// Takes over pages whose content is that of `tokens` behind the table's indexed pages, as long
  /// as they end within the first `limit` tokens; instead of pages that the table has there, whose
  /// content is lost. Returns the number of pages taken over.
  std::int64_t adopt(PageTable& table, std::span<const std::int32_t> tokens, std::int64_t limit);
  /// The first `computed` positions of `tokens` are in the table's pages now: makes the full ones
  /// known. A page whose content is known already is exchanged for the one that is.
  void publish(PageTable& table, std::span<const std::int32_t> tokens, std::int64_t computed);

 private:
  std::int32_t take();
  void share(std::int32_t page);
  void give_back(std::int32_t page);
  void link_cached(std::int32_t page);
  void unlink_cached(std::int32_t page);
  std::int32_t& uses(std::int32_t page) { return uses_[static_cast<std::size_t>(page)]; }

  /// Neighbours of a cached page in the order of last use.
  struct Link {
    std::int32_t before = 0;
    std::int32_t after = 0;
  };
  Link& link(std::int32_t page) { return links_[static_cast<std::size_t>(page)]; }

  bool prefix_cache_;
  PrefixIndex index_;
  std::vector<std::int32_t> uses_;  // (pages): sequences that hold it
  std::vector<std::int32_t> free_;  // taken from the back: recently used pages are warm
  /// A ring of the cached pages, least recently used first, closed by one more link without page.
  std::vector<Link> links_;
  std::int64_t cached_count_ = 0;
};

}  // namespace llm::engine
