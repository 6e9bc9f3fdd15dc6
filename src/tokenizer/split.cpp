#include "tokenizer/split.h"

#include <algorithm>

namespace llm::tokenizer {
namespace {

// Joins a segment to the one before it whenever `joins(previous_is_match, is_match)`; the first of
// a row has no match before it, and nothing to be joined to.
template <class Joins>
void fold(std::vector<Segment>& segments, const Joins& joins) {
  std::size_t kept = 0;
  bool previous_match = false;
  for (const Segment& segment : segments) {
    if (kept > 0 && joins(previous_match, segment.match)) {
      segments[kept - 1].begin = std::min(segments[kept - 1].begin, segment.begin);
      segments[kept - 1].end = std::max(segments[kept - 1].end, segment.end);
    } else {
      segments[kept++] = segment;
    }
    previous_match = segment.match;
  }
  segments.resize(kept);
}

}  // namespace

void append_words(std::vector<Segment>& segments, SplitBehavior behavior,
                  std::vector<Words::Word>& words) {
  const auto delimiter_after_text = [](bool previous, bool match) { return match && !previous; };
  switch (behavior) {
    case SplitBehavior::isolated:
      break;
    case SplitBehavior::removed:
      std::erase_if(segments, [](const Segment& segment) { return segment.match; });
      break;
    case SplitBehavior::contiguous:
      fold(segments, [](bool previous, bool match) { return previous == match; });
      break;
    case SplitBehavior::merged_with_previous:
      fold(segments, delimiter_after_text);
      break;
    case SplitBehavior::merged_with_next:
      std::reverse(segments.begin(), segments.end());
      fold(segments, delimiter_after_text);
      std::reverse(segments.begin(), segments.end());
      break;
  }
  for (const Segment& segment : segments) {
    if (segment.begin < segment.end) words.push_back({segment.begin, segment.end});
  }
}

}  // namespace llm::tokenizer
