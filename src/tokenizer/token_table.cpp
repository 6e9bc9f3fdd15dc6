#include "tokenizer/token_table.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/hash.h"

namespace llm::tokenizer {

inline TokenTable::Key TokenTable::key_of(std::string_view text) {
  if (text.size() > 8) {
    const std::uint64_t hash = hash_bytes(text);
    return {hash, hash};
  }
  const std::uint64_t packed = pack_bytes(text);
  return {packed, mix_bits(packed ^ text.size() << 56, 0x9E3779B97F4A7C15u)};
}

Result<TokenTable> TokenTable::build(const std::vector<Entry>& entries, std::string_view what) {
  std::int32_t size = 0;
  std::size_t bytes = 0;
  for (const Entry& entry : entries) {
    if (entry.id < 0 || entry.id >= kMaxVocabulary) {
      return core::corrupt_data("{}: token {} has id {}; ids go from 0 to {}", what,
                                core::quote(entry.text), entry.id, kMaxVocabulary - 1);
    }
    size = std::max(size, entry.id + 1);
    bytes += entry.text.size();
  }
  if (bytes > std::numeric_limits<std::uint32_t>::max()) {
    return core::corrupt_data("{}: {} bytes of token texts are too many", what, bytes);
  }

  std::vector<const Entry*> by_id(static_cast<std::size_t>(size), nullptr);
  for (const Entry& entry : entries) {
    const Entry*& place = by_id[static_cast<std::size_t>(entry.id)];
    if (place != nullptr) {
      return core::corrupt_data("{}: id {} belongs to both {} and {}", what, entry.id,
                                core::quote(place->text), core::quote(entry.text));
    }
    place = &entry;
  }

  TokenTable table;
  table.texts_.reserve(bytes);
  table.offsets_.reserve(by_id.size() + 1);
  table.offsets_.push_back(0);
  table.present_.reserve(by_id.size());
  table.slots_.resize(std::bit_ceil(entries.size() * 2 + 1));
  table.tags_.resize(table.slots_.size());
  for (const Entry* entry : by_id) {
    table.present_.push_back(entry != nullptr);
    if (entry != nullptr) {
      table.texts_ += entry->text;
      table.max_text_bytes_ = std::max(table.max_text_bytes_, entry->text.size());
    }
    table.offsets_.push_back(static_cast<std::uint32_t>(table.texts_.size()));
  }

  const std::size_t mask = table.slots_.size() - 1;
  for (std::int32_t id = 0; id < size; ++id) {
    const std::string_view text = table.text(id);
    if (text.empty()) continue;
    const Key key = key_of(text);
    std::size_t place = key.hash & mask;
    for (; table.tags_[place] != 0; place = (place + 1) & mask) {
      if (table.is_at(table.slots_[place], key.key, text)) {
        return core::corrupt_data("{}: token {} has both id {} and id {}", what, core::quote(text),
                                  table.slots_[place].id, id);
      }
    }
    table.tags_[place] = tag_of(key.hash);
    table.slots_[place] = {key.key, static_cast<std::uint32_t>(text.size()), id};
  }
  return table;
}

std::int32_t TokenTable::find(std::string_view text) const {
  if (text.empty() || text.size() > max_text_bytes_) return -1;
  const Key key = key_of(text);
  const std::size_t mask = slots_.size() - 1;
  const std::uint8_t tag = tag_of(key.hash);
  for (std::size_t place = key.hash & mask; tags_[place] != 0; place = (place + 1) & mask) {
    if (tags_[place] == tag && is_at(slots_[place], key.key, text)) return slots_[place].id;
  }
  return -1;
}

}  // namespace llm::tokenizer
