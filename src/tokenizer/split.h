// The cutting primitives under the pre-tokenizer steps: a word seen as a row of segments, each a
// delimiter (a match) or not, and the words that a SplitBehavior makes of them. Pure functions.
#pragma once

#include <cstddef>
#include <vector>

#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {

struct Segment {
  std::size_t begin, end;
  bool match;
};

/// Segments cover a word without gaps, in order. Appends the words; changes `segments`.
void append_words(std::vector<Segment>& segments, SplitBehavior behavior,
                  std::vector<Words::Word>& words);

/// Every character for which `is_delimiter` holds is a match of its own; the rest between two such
/// characters is one segment.
template <class IsDelimiter>
void segment_by_character(std::string_view text, Words::Word word, const IsDelimiter& is_delimiter,
                          std::vector<Segment>& segments) {
  std::size_t rest = word.begin;
  for (std::size_t at = word.begin; at < word.end;) {
    const std::size_t length = utf8_length(text[at]);
    if (is_delimiter(decode_valid_utf8(text.data() + at, length))) {
      if (rest < at) segments.push_back({rest, at, false});
      segments.push_back({at, at + length, true});
      rest = at + length;
    }
    at += length;
  }
  if (rest < word.end) segments.push_back({rest, word.end, false});
}

}  // namespace llm::tokenizer
