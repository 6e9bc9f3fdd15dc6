#include "engine/block_manager.h"

#include "core/check.h"
#include "sampling/sampler.h"

namespace llm::engine {
namespace {

constexpr std::int64_t kPage = kernels::kKvPageTokens;

std::span<const std::int32_t> page_tokens(std::span<const std::int32_t> tokens, std::int64_t page) {
  return tokens.subspan(static_cast<std::size_t>(page * kPage), static_cast<std::size_t>(kPage));
}

}  // namespace

BlockManager::BlockManager(std::int64_t pages, bool prefix_cache)
    : prefix_cache_(prefix_cache),
      index_(pages, sampling::random_seed()),
      uses_(static_cast<std::size_t>(pages)),
      links_(static_cast<std::size_t>(pages) + 1) {
  free_.reserve(static_cast<std::size_t>(pages));
  for (std::int64_t page = pages - 1; page >= 0; --page) {
    free_.push_back(static_cast<std::int32_t>(page));
  }
  const auto end = static_cast<std::int32_t>(pages);
  link(end) = {.before = end, .after = end};
}

std::int64_t BlockManager::pages_for(std::int64_t positions) {
  return (positions + kPage - 1) / kPage;
}

std::size_t BlockManager::bytes_for(std::int64_t pages) {
  return PrefixIndex::bytes_for(pages) +
         static_cast<std::size_t>(pages) * (2 * sizeof(std::int32_t) + sizeof(Link));
}

void BlockManager::begin(PageTable& table, std::int64_t epoch) const {
  LLM_CHECK(table.pages.empty());
  table.indexed = 0;
  table.prefix = PrefixIndex::root(epoch);
}

bool BlockManager::grow(PageTable& table, std::int64_t positions) {
  const std::int64_t missing = pages_for(positions) - static_cast<std::int64_t>(table.pages.size());
  if (missing > available()) return false;
  for (std::int64_t page = 0; page < missing; ++page) table.pages.push_back(take());
  return true;
}

void BlockManager::release(PageTable& table) {
  // The end of a prefix is given back first and so given up first: what is left can be found.
  while (!table.pages.empty()) {
    give_back(table.pages.back());
    table.pages.pop_back();
  }
  table.indexed = 0;
}

std::int64_t BlockManager::adopt(PageTable& table, std::span<const std::int32_t> tokens,
                                 std::int64_t limit) {
  if (!prefix_cache_) return 0;
  std::int64_t adopted = 0;
  for (; (table.indexed + 1) * kPage <= limit; ++table.indexed, ++adopted) {
    const std::int32_t page = index_.find(table.prefix, page_tokens(tokens, table.indexed));
    if (page < 0) break;
    share(page);
    const auto place = static_cast<std::size_t>(table.indexed);
    if (place < table.pages.size()) {
      give_back(table.pages[place]);
      table.pages[place] = page;
    } else {
      table.pages.push_back(page);
    }
    table.prefix = index_.id(page);
  }
  return adopted;
}

void BlockManager::publish(PageTable& table, std::span<const std::int32_t> tokens,
                           std::int64_t computed) {
  if (!prefix_cache_) return;
  for (; (table.indexed + 1) * kPage <= computed; ++table.indexed) {
    std::int32_t& page = table.pages[static_cast<std::size_t>(table.indexed)];
    const auto content = page_tokens(tokens, table.indexed);
    const std::int32_t known = index_.find(table.prefix, content);
    if (known < 0) {
      table.prefix = index_.insert(page, table.prefix, content);
      continue;
    }
    share(known);
    give_back(page);
    page = known;
    table.prefix = index_.id(known);
  }
}

std::int32_t BlockManager::take() {
  std::int32_t page = 0;
  if (!free_.empty()) {
    page = free_.back();
    free_.pop_back();
  } else {
    page = link(static_cast<std::int32_t>(total())).after;
    unlink_cached(page);
    index_.erase(page);
  }
  uses(page) = 1;
  return page;
}

void BlockManager::share(std::int32_t page) {
  if (uses(page) == 0) unlink_cached(page);
  ++uses(page);
}

void BlockManager::give_back(std::int32_t page) {
  LLM_CHECK(uses(page) > 0);
  if (--uses(page) > 0) return;
  if (index_.contains(page)) {
    link_cached(page);
  } else {
    free_.push_back(page);
  }
}

void BlockManager::link_cached(std::int32_t page) {
  const auto end = static_cast<std::int32_t>(total());
  link(page) = {.before = link(end).before, .after = end};
  link(link(page).before).after = page;
  link(end).before = page;
  ++cached_count_;
}

void BlockManager::unlink_cached(std::int32_t page) {
  link(link(page).before).after = link(page).after;
  link(link(page).after).before = link(page).before;
  --cached_count_;
}

}  // namespace llm::engine
