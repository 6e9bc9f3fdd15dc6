// Pages are handed out once, come back, and are refused when they run out; full ones are found
// again by their content, shared, and given up in the right order.
#include "engine/block_manager.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace llm::engine {
namespace {

constexpr std::int64_t kPage = kernels::kKvPageTokens;

std::vector<std::int32_t> tokens_of(std::int64_t pages, std::int32_t seed = 0) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(pages * kPage));
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    tokens[t] = seed * 100000 + static_cast<std::int32_t>(t);
  }
  return tokens;
}

// A table with those tokens computed and known.
PageTable computed(BlockManager& blocks, const std::vector<std::int32_t>& tokens,
                   std::int64_t epoch = 0) {
  PageTable table;
  blocks.begin(table, epoch);
  EXPECT_TRUE(blocks.grow(table, static_cast<std::int64_t>(tokens.size())));
  blocks.publish(table, tokens, static_cast<std::int64_t>(tokens.size()));
  return table;
}

std::int64_t found(BlockManager& blocks, const std::vector<std::int32_t>& tokens,
                   std::int64_t epoch = 0) {
  PageTable table;
  blocks.begin(table, epoch);
  const std::int64_t pages = blocks.adopt(table, tokens, static_cast<std::int64_t>(tokens.size()));
  blocks.release(table);
  return pages;
}

TEST(BlockManager, HandsOutEveryPageOnce) {
  BlockManager blocks(10, true);
  PageTable first;
  PageTable second;
  ASSERT_TRUE(blocks.grow(first, 4 * kPage));
  ASSERT_TRUE(blocks.grow(second, 6 * kPage));
  std::set<std::int32_t> all(first.pages.begin(), first.pages.end());
  all.insert(second.pages.begin(), second.pages.end());
  EXPECT_EQ(all.size(), 10u);
  EXPECT_EQ(*all.begin(), 0);
  EXPECT_EQ(*all.rbegin(), 9);
  EXPECT_EQ(blocks.used(), 10);
}

TEST(BlockManager, RefusesWithoutTakingAny) {
  BlockManager blocks(3, true);
  PageTable table;
  EXPECT_FALSE(blocks.grow(table, 4 * kPage));
  EXPECT_TRUE(table.pages.empty());
  EXPECT_EQ(blocks.available(), 3);
  ASSERT_TRUE(blocks.grow(table, kPage));
  EXPECT_FALSE(blocks.grow(table, 4 * kPage));
  EXPECT_EQ(table.pages.size(), 1u);
}

TEST(BlockManager, GrowsByWhatIsMissing) {
  BlockManager blocks(3, true);
  PageTable table;
  ASSERT_TRUE(blocks.grow(table, 1));
  EXPECT_EQ(table.pages.size(), 1u);
  ASSERT_TRUE(blocks.grow(table, kPage));
  EXPECT_EQ(table.pages.size(), 1u);
  ASSERT_TRUE(blocks.grow(table, kPage + 1));
  EXPECT_EQ(table.pages.size(), 2u);
  blocks.release(table);
  EXPECT_TRUE(table.pages.empty());
  EXPECT_EQ(blocks.available(), 3);
  EXPECT_EQ(blocks.cached(), 0);
}

TEST(BlockManager, FindsContentThatNobodyUsesAnyMore) {
  BlockManager blocks(8, true);
  const auto tokens = tokens_of(3);
  PageTable first = computed(blocks, tokens);
  const auto pages = first.pages;
  blocks.release(first);
  EXPECT_EQ(blocks.used(), 0);
  EXPECT_EQ(blocks.cached(), 3);
  EXPECT_EQ(blocks.available(), 8);

  PageTable second;
  EXPECT_EQ(blocks.adopt(second, tokens, 3 * kPage), 3);
  EXPECT_EQ(second.pages, pages);
  EXPECT_EQ(second.indexed, 3);
  EXPECT_EQ(blocks.cached(), 0);
  EXPECT_EQ(blocks.used(), 3);
}

TEST(BlockManager, SharesPagesThatAreInUse) {
  BlockManager blocks(4, true);
  const auto tokens = tokens_of(3);
  PageTable first = computed(blocks, tokens);
  PageTable second;
  EXPECT_EQ(blocks.adopt(second, tokens, 3 * kPage), 3);
  EXPECT_EQ(blocks.used(), 3);
  blocks.release(first);
  EXPECT_EQ(blocks.used(), 3) << "the second sequence still reads them";
  PageTable third;
  EXPECT_FALSE(blocks.grow(third, 2 * kPage)) << "used pages are never given away";
  blocks.release(second);
  EXPECT_TRUE(blocks.grow(third, 4 * kPage));
}

TEST(BlockManager, TakesOverWholePagesWithinTheLimit) {
  BlockManager blocks(8, true);
  const auto tokens = tokens_of(3);
  PageTable first = computed(blocks, tokens);
  PageTable second;
  EXPECT_EQ(blocks.adopt(second, tokens, 2 * kPage - 1), 1);
  EXPECT_EQ(blocks.adopt(second, tokens, 2 * kPage), 1) << "goes on where it was";
  EXPECT_EQ(second.indexed, 2);
}

TEST(BlockManager, APageThatItHadIsExchanged) {
  BlockManager blocks(8, true);
  const auto tokens = tokens_of(2);
  PageTable second;
  ASSERT_TRUE(blocks.grow(second, 2 * kPage));
  PageTable first = computed(blocks, tokens);
  EXPECT_EQ(blocks.used(), 4);
  EXPECT_EQ(blocks.adopt(second, tokens, 2 * kPage), 2);
  EXPECT_EQ(second.pages, first.pages);
  EXPECT_EQ(blocks.used(), 2);
}

// Two sequences computed the same at the same time: one copy is kept.
TEST(BlockManager, EqualContentIsKeptOnce) {
  BlockManager blocks(8, true);
  const auto tokens = tokens_of(2);
  PageTable first = computed(blocks, tokens);
  PageTable second = computed(blocks, tokens);
  EXPECT_EQ(second.pages, first.pages);
  EXPECT_EQ(blocks.used(), 2);
}

TEST(BlockManager, ContentIsItsTokensAndAllBefore) {
  BlockManager blocks(16, true);
  const auto tokens = tokens_of(3);
  PageTable table = computed(blocks, tokens);
  auto other = tokens;
  other[0] += 1;
  EXPECT_EQ(found(blocks, other), 0);
  other = tokens;
  other[static_cast<std::size_t>(2 * kPage - 1)] += 1;
  EXPECT_EQ(found(blocks, other), 1);
  // The tokens of the second page at the beginning are another content.
  EXPECT_EQ(found(blocks, {tokens.begin() + kPage, tokens.end()}), 0);
  EXPECT_EQ(found(blocks, tokens), 3);
}

TEST(BlockManager, KeysRotatedOtherwiseAreOtherContent) {
  BlockManager blocks(8, true);
  const auto tokens = tokens_of(1);
  PageTable zero = computed(blocks, tokens, 0);
  EXPECT_EQ(found(blocks, tokens, 1), 0);
  PageTable one = computed(blocks, tokens, 1);
  EXPECT_NE(zero.pages, one.pages);
  EXPECT_EQ(found(blocks, tokens, 1), 1);
}

TEST(BlockManager, WhatWasUsedLeastRecentlyGoesFirst) {
  BlockManager blocks(4, true);
  PageTable a = computed(blocks, tokens_of(2, 1));
  PageTable b = computed(blocks, tokens_of(2, 2));
  blocks.release(a);
  blocks.release(b);
  PageTable next;
  ASSERT_TRUE(blocks.grow(next, kPage));
  EXPECT_EQ(found(blocks, tokens_of(2, 1)), 1) << "the end of a prefix goes before its beginning";
  EXPECT_EQ(found(blocks, tokens_of(2, 2)), 2);
  // Looking for the first made it the more recent: now the second loses.
  EXPECT_EQ(found(blocks, tokens_of(2, 1)), 1);
  ASSERT_TRUE(blocks.grow(next, 2 * kPage));
  EXPECT_EQ(found(blocks, tokens_of(2, 1)), 1);
  EXPECT_EQ(found(blocks, tokens_of(2, 2)), 1);
  ASSERT_TRUE(blocks.grow(next, 4 * kPage));
  EXPECT_EQ(blocks.cached(), 0);
  EXPECT_EQ(found(blocks, tokens_of(2, 1)), 0);
}

TEST(BlockManager, SwitchedOffItSharesNothing) {
  BlockManager blocks(8, false);
  const auto tokens = tokens_of(2);
  PageTable first = computed(blocks, tokens);
  EXPECT_EQ(found(blocks, tokens), 0);
  blocks.release(first);
  EXPECT_EQ(blocks.cached(), 0);
  EXPECT_EQ(blocks.available(), 8);
}

// A small table has many contents per bucket: what is found is told apart by comparing, not by
// hash.
TEST(PrefixIndex, ContentsOfOneBucketAreToldApart) {
  constexpr std::int32_t kPages = 64;
  PrefixIndex index(kPages, 12345);
  std::mt19937 random(1);
  const auto content = [&] {
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(kPage));
    for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(random() % 2);
    return tokens;
  };
  std::vector<std::vector<std::int32_t>> contents;
  const PrefixId root = PrefixIndex::root(0);
  for (std::int32_t page = 0; page < kPages; ++page) {
    contents.push_back(content());
    index.insert(page, root, contents.back());
  }
  for (std::int32_t page = 0; page < kPages; ++page) {
    EXPECT_EQ(index.find(root, contents[static_cast<std::size_t>(page)]), page);
    EXPECT_EQ(index.find(index.id(page), contents[static_cast<std::size_t>(page)]), -1);
  }
  for (int round = 0; round < 1000; ++round) EXPECT_EQ(index.find(root, content()), -1);
  for (std::int32_t page = 0; page < kPages; page += 2) index.erase(page);
  for (std::int32_t page = 0; page < kPages; ++page) {
    EXPECT_EQ(index.find(root, contents[static_cast<std::size_t>(page)]),
              page % 2 == 0 ? -1 : page);
  }
}

// Any order of events leaves every page in exactly one place.
TEST(BlockManager, RandomUseLosesNoPage) {
  constexpr std::int64_t kPages = 24;
  BlockManager blocks(kPages, true);
  std::mt19937 random(7);
  std::vector<PageTable> tables(6);
  std::vector<std::vector<std::int32_t>> texts(tables.size());
  for (int round = 0; round < 20000; ++round) {
    const std::size_t t = random() % tables.size();
    if (tables[t].pages.empty()) {
      // Few beginnings, so that many are equal.
      texts[t] = tokens_of(6, static_cast<std::int32_t>(random() % 3));
      for (std::size_t at = texts[t].size() / 2; at < texts[t].size(); ++at) {
        texts[t][at] += static_cast<std::int32_t>(random() % 2);
      }
      blocks.begin(tables[t], 0);
      (void)blocks.adopt(tables[t], texts[t], static_cast<std::int64_t>(texts[t].size()) - 1);
      if (!blocks.grow(tables[t], static_cast<std::int64_t>(texts[t].size()))) {
        blocks.release(tables[t]);
      }
    } else if (random() % 2 == 0) {
      blocks.publish(tables[t], texts[t], static_cast<std::int64_t>(random() % texts[t].size()));
    } else {
      blocks.release(tables[t]);
    }
    std::set<std::int32_t> used;
    for (const PageTable& table : tables) used.insert(table.pages.begin(), table.pages.end());
    ASSERT_EQ(blocks.used(), static_cast<std::int64_t>(used.size())) << round;
    ASSERT_EQ(blocks.available() + blocks.used(), kPages);
  }
  for (PageTable& table : tables) blocks.release(table);
  PageTable all;
  EXPECT_TRUE(blocks.grow(all, kPages * kPage));
}

}  // namespace
}  // namespace llm::engine
