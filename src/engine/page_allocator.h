// PageAllocator: which pages of the KV cache are free. A page belongs to one sequence at a time.
// Not thread-safe; the engine thread owns it.
#pragma once

#include <cstdint>
#include <vector>

namespace llm::engine {

class PageAllocator {
 public:
  explicit PageAllocator(std::int64_t pages);

  std::int64_t total() const { return total_; }
  std::int64_t free() const { return static_cast<std::int64_t>(free_.size()); }

  /// Pages needed for that many positions.
  static std::int64_t pages_for(std::int64_t positions);

  /// Appends `count` pages to `pages`; false, and nothing changes, when fewer are free.
  [[nodiscard]] bool allocate(std::int64_t count, std::vector<std::int32_t>& pages);
  /// Gives all pages back and empties the list.
  void release(std::vector<std::int32_t>& pages);

 private:
  std::int64_t total_;
  std::vector<std::int32_t> free_;  // taken from the back: recently used pages are warm
};

}  // namespace llm::engine
