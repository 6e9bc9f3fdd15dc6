// TokenTable: the texts of a vocabulary by id, and ids by text. Ids may leave holes; a text belongs
// to at most one id. Immutable after build, so it may be read from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "llm/status.h"

namespace llm::tokenizer {

/// Far above any published vocabulary; keeps a hostile id from reserving gigabytes.
constexpr std::int32_t kMaxVocabulary = 1 << 22;

class TokenTable {
 public:
  struct Entry {
    std::string_view text;
    std::int32_t id;
  };

  /// `what` names the table in errors. An id that is negative, too large or used twice, or a text
  /// that occurs twice, is an error. Empty texts are kept but cannot be found.
  static Result<TokenTable> build(const std::vector<Entry>& entries, std::string_view what);

  /// The id of a text, or -1.
  std::int32_t find(std::string_view text) const;
  /// True when `id` names a token; false for holes and ids out of range.
  bool contains(std::int32_t id) const {
    return id >= 0 && id < size() && present_[static_cast<std::size_t>(id)];
  }
  /// Empty for a hole; `id` must be in [0, size()).
  std::string_view text(std::int32_t id) const {
    const auto index = static_cast<std::size_t>(id);
    return std::string_view(texts_).substr(offsets_[index], offsets_[index + 1] - offsets_[index]);
  }
  /// One more than the highest id.
  std::int32_t size() const { return static_cast<std::int32_t>(present_.size()); }
  std::size_t max_text_bytes() const { return max_text_bytes_; }

 private:
  // A short text is in its slot, so that finding it takes one look at memory.
  struct Slot {
    std::uint64_t key;    // up to 8 bytes: the text itself (pack_bytes); else its hash
    std::uint32_t bytes;  // length of the text
    std::int32_t id;
  };
  struct Key {
    std::uint64_t key, hash;
  };
  static Key key_of(std::string_view text);
  bool is_at(const Slot& slot, std::uint64_t key, std::string_view wanted) const {
    return slot.key == key && slot.bytes == wanted.size() &&
           (wanted.size() <= 8 || text(slot.id) == wanted);
  }

  std::string texts_;                   // all texts, in order of id
  std::vector<std::uint32_t> offsets_;  // size() + 1 positions in texts_
  std::vector<bool> present_;
  static std::uint8_t tag_of(std::uint64_t hash) {
    return static_cast<std::uint8_t>(hash >> 57 | 128);
  }

  std::vector<Slot> slots_;         // open addressing, a power of two
  std::vector<std::uint8_t> tags_;  // of each slot: seven bits of its hash, or 0: free
  std::size_t max_text_bytes_ = 0;
};

}  // namespace llm::tokenizer
