#include "tokenizer/word_breaks.h"

#include <algorithm>
#include <vector>

namespace llm::tokenizer {

WordBreaks::Class WordBreaks::class_at_end(std::string_view text) {
  if (static_cast<unsigned char>(text.back()) < 0x80) {
    return static_cast<unsigned char>(text.back());
  }
  return text.ends_with(kSpaceMark) ? kMark : kOther;
}

void WordBreaks::add_merge(std::string_view left, std::string_view right) {
  if (!left.empty() && !right.empty()) joins_[class_at_end(left)][class_at(right, 0)] = true;
}

void WordBreaks::add_token(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t next = at + utf8_length(text[at]);
    if (next < text.size()) joins_[class_at(text, at)][class_at(text, next)] = true;
    at = next;
  }
}

void WordBreaks::finish() {
  for (Class left = 0; left < kClasses; ++left) {
    for (Class right = 0; right < kClasses; ++right) breaks_[left][right] = !joins_[left][right];
  }
}

void WordBreaks::finish(const std::array<bool, 128>& ascii_known, bool mark_known,
                        std::string_view unknown) {
  const auto known = [&](Class c) { return c < 128 ? ascii_known[c] : c == kMark && mark_known; };
  // What the symbol of a character may begin or end with.
  std::vector<Class> begins = {kOther, '<'}, ends = {kOther, '>'};
  if (!unknown.empty()) {
    begins.push_back(class_at(unknown, 0));
    ends.push_back(class_at_end(unknown));
  }
  for (Class left = 0; left < kClasses; ++left) {
    for (Class right = 0; right < kClasses; ++right) {
      const std::vector<Class> lefts = known(left) ? std::vector<Class>{left} : ends;
      const std::vector<Class> rights = known(right) ? std::vector<Class>{right} : begins;
      bool joined = !known(left) && !known(right);
      for (const Class l : lefts) {
        joined = joined ||
                 std::any_of(rights.begin(), rights.end(), [&](Class r) { return joins_[l][r]; });
      }
      breaks_[left][right] = !joined;
    }
  }
}

}  // namespace llm::tokenizer
