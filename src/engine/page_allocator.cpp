#include "engine/page_allocator.h"

#include "kernels/kernels.h"

namespace llm::engine {

PageAllocator::PageAllocator(std::int64_t pages) : total_(pages) {
  free_.reserve(static_cast<std::size_t>(pages));
  for (std::int64_t page = pages - 1; page >= 0; --page) {
    free_.push_back(static_cast<std::int32_t>(page));
  }
}

std::int64_t PageAllocator::pages_for(std::int64_t positions) {
  return (positions + kernels::kKvPageTokens - 1) / kernels::kKvPageTokens;
}

bool PageAllocator::allocate(std::int64_t count, std::vector<std::int32_t>& pages) {
  if (count > free()) return false;
  for (std::int64_t i = 0; i < count; ++i) {
    pages.push_back(free_.back());
    free_.pop_back();
  }
  return true;
}

void PageAllocator::release(std::vector<std::int32_t>& pages) {
  free_.insert(free_.end(), pages.rbegin(), pages.rend());
  pages.clear();
}

}  // namespace llm::engine
