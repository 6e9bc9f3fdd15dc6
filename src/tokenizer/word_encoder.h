// WordEncoder: what turns one word of the pre-split into token ids. It tries, in order: the whole
// word as one token (when merging would give that token anyway), the words already seen in this
// text, and the merges themselves, which the derived class defines. Immutable for its users: any
// thread may call encode with its own Scratch.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/merge.h"
#include "tokenizer/word_breaks.h"

namespace llm::tokenizer {

class WordEncoder {
 public:
  /// Buffers for the words of one text, and the words seen so far.
  struct Scratch {
    struct SeenWord {
      std::uint64_t hash = 0;
      std::uint32_t text = 0, text_bytes = 0;  // in `texts`; no bytes: free
      std::uint32_t ids = 0, n_ids = 0;        // in `ids`
    };
    MergeScratch merge;
    std::vector<std::int32_t> word_ids;
    std::vector<SeenWord> seen;
    std::string texts;
    std::vector<std::int32_t> ids;
    std::size_t words = 0;
  };

  virtual ~WordEncoder() = default;

  /// Appends the ids of a word.
  void encode(std::string_view word, Scratch& scratch, std::vector<std::int32_t>& ids) const;

 protected:
  /// To be called once the vocabulary is complete, with the number of its ids. With `breaks`, words
  /// are cut there first: where they are long, that keeps the work local.
  void start(std::int32_t vocab_size, std::optional<WordBreaks> breaks);

  /// The token whose bytes are exactly this word, or -1.
  virtual std::int32_t whole_word(std::string_view word) const = 0;
  /// Whether whole_word() is the answer without regard to the merges.
  virtual bool whole_word_wins() const = 0;
  /// Appends the ids that merging gives.
  virtual void merge_word(std::string_view word, MergeScratch& scratch,
                          std::vector<std::int32_t>& ids) const = 0;

 private:
  enum class Merges : std::uint8_t { not_tried, to_itself, otherwise };

  void encode_part(std::string_view word, Scratch& scratch, std::vector<std::int32_t>& ids) const;
  bool merges_to_itself(std::int32_t id, std::string_view word, Scratch& scratch) const;

  // Whether merging a token's own text gives that token; found out when first needed. Every thread
  // finds the same, so relaxed access is enough.
  mutable std::unique_ptr<std::atomic<Merges>[]> merges_;
  std::optional<WordBreaks> breaks_;
};

}  // namespace llm::tokenizer
