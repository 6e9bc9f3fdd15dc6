#include "tokenizer/utf8_repair.h"

#include "tokenizer/utf8.h"

namespace llm::tokenizer {

void Utf8Repair::push(std::string_view bytes, std::string& out) {
  if (pending_.empty() && is_valid_utf8(bytes)) {
    out += bytes;
    return;
  }
  pending_ += bytes;
  std::size_t at = 0;
  while (at < pending_.size()) {
    const Utf8Char c = decode_utf8(pending_, at);
    if (c.truncated) break;
    if (c.valid) {
      out.append(pending_, at, c.length);
    } else {
      out += kReplacementUtf8;
    }
    at += c.length;
  }
  pending_.erase(0, at);
}

void Utf8Repair::finish(std::string& out) {
  // What is pending is one truncated character, so one invalid subpart.
  if (!pending_.empty()) out += kReplacementUtf8;
  pending_.clear();
}

}  // namespace llm::tokenizer
