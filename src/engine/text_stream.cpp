#include "engine/text_stream.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace llm::engine {

TextStream::TextStream(const tokenizer::Tokenizer& tokenizer, std::vector<std::string> stop,
                       bool continues_text)
    : decoder_(tokenizer, continues_text), stop_(std::move(stop)) {}

bool TextStream::push(TokenEvent event, bool may_stop, std::vector<TokenEvent>& released) {
  event.text = decoder_.push(event.id);
  held_text_ += event.text;
  held_.push_back(std::move(event));
  undecided_tokens_ = decoder_.holding() ? undecided_tokens_ + 1 : 0;
  if (!may_stop) {
    release(held_text_.size(), released);
    return false;
  }
  if (find_stop()) {
    undecided_tokens_ = 0;
    release(held_text_.size(), released);
    return true;
  }
  release(held_text_.size() - possible_stop_prefix(), released);
  return false;
}

void TextStream::finish(std::vector<TokenEvent>& released) {
  const std::string rest = decoder_.finish();
  if (!rest.empty() && !held_.empty()) {
    held_.back().text += rest;
    held_text_ += rest;
    find_stop();
  }
  undecided_tokens_ = 0;
  release(held_text_.size(), released);
}

bool TextStream::find_stop() {
  std::size_t first = std::string::npos;
  for (const std::string& stop : stop_) {
    const std::size_t place = held_text_.find(stop);
    if (place >= first) continue;  // npos is the largest value
    first = place;
    matched_stop_ = stop;
  }
  if (first == std::string::npos) return false;
  // Cut the text of the held tokens at the match.
  std::size_t begin = 0;
  for (TokenEvent& event : held_) {
    const std::size_t size = event.text.size();
    event.text.resize(first > begin ? std::min(size, first - begin) : 0);
    begin += size;
  }
  held_text_.resize(first);
  return true;
}

std::size_t TextStream::possible_stop_prefix() const {
  std::size_t longest = 0;
  for (const std::string& stop : stop_) {
    // A whole stop string would have been found, so only proper prefixes matter.
    for (std::size_t size = std::min(stop.size() - 1, held_text_.size()); size > longest; --size) {
      if (std::string_view(held_text_).ends_with(std::string_view(stop).substr(0, size))) {
        longest = size;
      }
    }
  }
  return longest;
}

void TextStream::release(std::size_t certain_bytes, std::vector<TokenEvent>& released) {
  std::size_t done = 0;
  while (held_.size() > undecided_tokens_ && done + held_.front().text.size() <= certain_bytes) {
    done += held_.front().text.size();
    released.push_back(std::move(held_.front()));
    held_.pop_front();
  }
  held_text_.erase(0, done);
}

}  // namespace llm::engine
