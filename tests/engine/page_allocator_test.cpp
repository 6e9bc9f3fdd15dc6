// Pages are handed out once, come back, and are refused when they run out.
#include "engine/page_allocator.h"

#include <gtest/gtest.h>

#include <set>

namespace llm::engine {
namespace {

TEST(PageAllocator, HandsOutEveryPageOnce) {
  PageAllocator pages(10);
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> second;
  ASSERT_TRUE(pages.allocate(4, first));
  ASSERT_TRUE(pages.allocate(6, second));
  std::set<std::int32_t> all(first.begin(), first.end());
  all.insert(second.begin(), second.end());
  EXPECT_EQ(all.size(), 10u);
  EXPECT_EQ(*all.begin(), 0);
  EXPECT_EQ(*all.rbegin(), 9);
}

TEST(PageAllocator, RefusesWithoutTakingAny) {
  PageAllocator pages(3);
  std::vector<std::int32_t> mine;
  EXPECT_FALSE(pages.allocate(4, mine));
  EXPECT_TRUE(mine.empty());
  EXPECT_EQ(pages.free(), 3);
}

TEST(PageAllocator, ReleasedPagesCanBeTakenAgain) {
  PageAllocator pages(2);
  std::vector<std::int32_t> mine;
  ASSERT_TRUE(pages.allocate(2, mine));
  pages.release(mine);
  EXPECT_TRUE(mine.empty());
  EXPECT_EQ(pages.free(), 2);
  EXPECT_TRUE(pages.allocate(2, mine));
}

TEST(PageAllocator, CountsPartialPagesAsWhole) {
  EXPECT_EQ(PageAllocator::pages_for(0), 0);
  EXPECT_EQ(PageAllocator::pages_for(1), 1);
  EXPECT_EQ(PageAllocator::pages_for(32), 1);
  EXPECT_EQ(PageAllocator::pages_for(33), 2);
}

}  // namespace
}  // namespace llm::engine
