#include "tokenizer/word_encoder.h"

#include "tokenizer/hash.h"

namespace llm::tokenizer {
namespace {

constexpr std::size_t kSeenWords = 2048;  // a power of two; each hash has one place
constexpr std::size_t kMaxSeenWordBytes = 64;
constexpr std::size_t kMaxSeenTextBytes = 1 << 20;
// A short text repeats too few words to pay for the table.
constexpr std::size_t kWordsBeforeTable = 64;

}  // namespace

void WordEncoder::start(std::int32_t vocab_size, std::optional<WordBreaks> breaks) {
  breaks_ = std::move(breaks);
  merges_ = std::make_unique<std::atomic<Merges>[]>(static_cast<std::size_t>(vocab_size));
}

bool WordEncoder::merges_to_itself(std::int32_t id, std::string_view word, Scratch& scratch) const {
  std::atomic<Merges>& state = merges_[static_cast<std::size_t>(id)];
  Merges known = state.load(std::memory_order_relaxed);
  if (known == Merges::not_tried) {
    scratch.word_ids.clear();
    merge_word(word, scratch.merge, scratch.word_ids);
    const bool same = scratch.word_ids.size() == 1 && scratch.word_ids[0] == id;
    known = same ? Merges::to_itself : Merges::otherwise;
    state.store(known, std::memory_order_relaxed);
  }
  return known == Merges::to_itself;
}

void WordEncoder::encode(std::string_view word, Scratch& scratch,
                         std::vector<std::int32_t>& ids) const {
  if (word.empty()) return;
  if (whole_word_wins()) {
    if (const std::int32_t whole = whole_word(word); whole >= 0) {
      ids.push_back(whole);
      return;
    }
  }
  if (!breaks_) return encode_part(word, scratch, ids);
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t end = breaks_->part_end(word, begin);
    encode_part(word.substr(begin, end - begin), scratch, ids);
    begin = end;
  }
}

void WordEncoder::encode_part(std::string_view word, Scratch& scratch,
                              std::vector<std::int32_t>& ids) const {
  const std::int32_t whole = whole_word(word);
  if (whole >= 0 && merges_to_itself(whole, word, scratch)) {
    ids.push_back(whole);
    return;
  }
  ++scratch.words;
  if (word.size() > kMaxSeenWordBytes || scratch.words < kWordsBeforeTable) {
    merge_word(word, scratch.merge, ids);
    return;
  }
  if (scratch.seen.empty()) scratch.seen.resize(kSeenWords);
  const std::uint64_t hash = hash_bytes(word);
  Scratch::SeenWord& seen = scratch.seen[hash & (kSeenWords - 1)];
  if (seen.hash == hash && seen.text_bytes == word.size() &&
      std::string_view(scratch.texts).substr(seen.text, seen.text_bytes) == word) {
    const auto first = scratch.ids.begin() + seen.ids;
    ids.insert(ids.end(), first, first + seen.n_ids);
    return;
  }
  if (scratch.texts.size() + word.size() > kMaxSeenTextBytes) {
    scratch.texts.clear();
    scratch.ids.clear();
    scratch.seen.assign(kSeenWords, {});
  }
  const std::size_t before = ids.size();
  merge_word(word, scratch.merge, ids);
  seen = {hash, static_cast<std::uint32_t>(scratch.texts.size()),
          static_cast<std::uint32_t>(word.size()), static_cast<std::uint32_t>(scratch.ids.size()),
          static_cast<std::uint32_t>(ids.size() - before)};
  scratch.texts += word;
  scratch.ids.insert(scratch.ids.end(), ids.begin() + static_cast<std::ptrdiff_t>(before),
                     ids.end());
}

}  // namespace llm::tokenizer
