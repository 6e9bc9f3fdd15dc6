#include "engine/prefix_index.h"

#include <algorithm>
#include <bit>

#include "core/check.h"

namespace llm::engine {
namespace {

constexpr auto kPage = static_cast<std::size_t>(kernels::kKvPageTokens);

// Both halves of the 128-bit product: every bit of the input reaches every bit of the result.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a ^ 0x9e3779b97f4a7c15ULL) * (b ^ 0xd1b54a32d192ed03ULL);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

PrefixIndex::PrefixIndex(std::int64_t pages, std::uint64_t seed)
    : entries_(static_cast<std::size_t>(pages)), buckets_(buckets_for(pages), -1), seed_(seed) {}

std::size_t PrefixIndex::buckets_for(std::int64_t pages) {
  return std::bit_ceil(std::max<std::size_t>(static_cast<std::size_t>(pages), 1));
}

std::size_t PrefixIndex::bytes_for(std::int64_t pages) {
  return static_cast<std::size_t>(pages) * sizeof(Entry) +
         buckets_for(pages) * sizeof(std::int32_t);
}

std::size_t PrefixIndex::bucket(PrefixId before, std::span<const std::int32_t> tokens) const {
  std::uint64_t hash = mix(seed_, before);
  for (std::size_t t = 0; t < kPage; t += 2) {
    const std::uint64_t pair = static_cast<std::uint64_t>(static_cast<std::uint32_t>(tokens[t])) |
                               static_cast<std::uint64_t>(tokens[t + 1]) << 32U;
    hash = mix(hash, pair);
  }
  return static_cast<std::size_t>(hash) & (buckets_.size() - 1);
}

std::int32_t PrefixIndex::find(PrefixId before, std::span<const std::int32_t> tokens) const {
  LLM_CHECK(tokens.size() == kPage);
  for (std::int32_t page = buckets_[bucket(before, tokens)]; page >= 0; page = entry(page).next) {
    const Entry& found = entry(page);
    if (found.before == before && std::ranges::equal(found.tokens, tokens)) return page;
  }
  return -1;
}

PrefixId PrefixIndex::insert(std::int32_t page, PrefixId before,
                             std::span<const std::int32_t> tokens) {
  LLM_CHECK(tokens.size() == kPage && !contains(page));
  std::int32_t& first = buckets_[bucket(before, tokens)];
  Entry& added = entry(page);
  added.id = ++last_id_;
  added.before = before;
  added.next = first;
  std::ranges::copy(tokens, added.tokens.begin());
  first = page;
  return added.id;
}

void PrefixIndex::erase(std::int32_t page) {
  Entry& erased = entry(page);
  LLM_CHECK(erased.id != 0);
  std::int32_t* link = &buckets_[bucket(erased.before, erased.tokens)];
  while (*link != page) link = &entry(*link).next;
  *link = erased.next;
  erased.id = 0;
}

}  // namespace llm::engine
