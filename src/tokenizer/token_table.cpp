#include "tokenizer/token_table.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/hash.h"

namespace llm::tokenizer {

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
  table.slots_.assign(std::bit_ceil(entries.size() * 2 + 1), Slot{0, -1});
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
    const std::uint64_t hash = hash_bytes(text);
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    std::size_t place = hash & mask;
    for (; table.slots_[place].id >= 0; place = (place + 1) & mask) {
      const Slot& other = table.slots_[place];
      if (other.tag == tag && table.text(other.id) == text) {
        return core::corrupt_data("{}: token {} has both id {} and id {}", what, core::quote(text),
                                  other.id, id);
      }
    }
    table.slots_[place] = {tag, id};
  }
  return table;
}

std::int32_t TokenTable::find(std::string_view text) const {
  if (text.empty() || text.size() > max_text_bytes_) return -1;
  const std::uint64_t hash = hash_bytes(text);
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t place = hash & mask; slots_[place].id >= 0; place = (place + 1) & mask) {
    if (slots_[place].tag == tag && this->text(slots_[place].id) == text) return slots_[place].id;
  }
  return -1;
}

}  // namespace llm::tokenizer
