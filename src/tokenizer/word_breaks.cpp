#include "tokenizer/word_breaks.h"

#include <algorithm>
#include <bit>

#include "tokenizer/hash.h"

namespace llm::tokenizer {
namespace {

std::uint64_t pair_of(char32_t left, char32_t right) { return std::uint64_t{left} << 32 | right; }

std::uint64_t hash_of(std::uint64_t pair) { return mix_bits(pair, 0x9E3779B97F4A7C15u); }

char32_t first_char(std::string_view text) {
  return decode_valid_utf8(text.data(), utf8_length(text[0]));
}

char32_t last_char(std::string_view text) {
  std::size_t at = text.size() - 1;
  while ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return decode_valid_utf8(text.data() + at, text.size() - at);
}

}  // namespace

void WordBreaks::add_merge(std::string_view left, std::string_view right) {
  if (left.empty() || right.empty()) return;
  pairs_.push_back(pair_of(last_char(left), first_char(right)));
}

void WordBreaks::add_token(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t next = at + utf8_length(text[at]);
    if (next < text.size()) {
      pairs_.push_back(pair_of(first_char(text.substr(at)), first_char(text.substr(next))));
    }
    at = next;
  }
}

bool WordBreaks::joins(char32_t left, char32_t right) const {
  const std::uint64_t hash = hash_of(pair_of(left, right));
  return (bits_[(hash >> 6) & (bits_.size() - 1)] >> (hash & 63) & 1) != 0;
}

bool WordBreaks::is_break(char32_t left, char32_t right) const {
  const bool left_known = symbols_ == nullptr || (*symbols_)[left] >= 0;
  const bool right_known = symbols_ == nullptr || (*symbols_)[right] >= 0;
  if (left_known && right_known) return !joins(left, right);
  if (vanish_ || (!left_known && !right_known)) return false;
  if (left_known) {
    return std::none_of(unknown_begins_.begin(), unknown_begins_.end(),
                        [&](char32_t c) { return joins(left, c); });
  }
  return std::none_of(unknown_ends_.begin(), unknown_ends_.end(),
                      [&](char32_t c) { return joins(c, right); });
}

void WordBreaks::finish(const CharTable* symbols, std::string_view unknown, bool vanish) {
  symbols_ = symbols;
  vanish_ = vanish;
  unknown_begins_ = {U'<'};
  unknown_ends_ = {U'>'};
  if (!unknown.empty()) {
    unknown_begins_.push_back(first_char(unknown));
    unknown_ends_.push_back(last_char(unknown));
  }
  std::sort(pairs_.begin(), pairs_.end());
  pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
  bits_.assign(std::bit_ceil(pairs_.size() / 4 + 1), 0);  // sixteen or more bits for each pair
  for (const std::uint64_t pair : pairs_) {
    const std::uint64_t hash = hash_of(pair);
    bits_[(hash >> 6) & (bits_.size() - 1)] |= std::uint64_t{1} << (hash & 63);
  }
  pairs_ = {};
  for (char32_t left = 0; left < kAscii; ++left) {
    for (char32_t right = 0; right < kAscii; ++right) ascii_[left][right] = is_break(left, right);
  }
}

}  // namespace llm::tokenizer
