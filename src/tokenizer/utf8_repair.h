// Utf8Repair: makes valid UTF-8 of bytes that come in pieces. A character that may still become
// complete is held back; every maximal invalid subpart becomes U+FFFD. One stream, one thread.
#pragma once

#include <string>
#include <string_view>

namespace llm::tokenizer {

class Utf8Repair {
 public:
  /// Appends to `out` what is certain now.
  void push(std::string_view bytes, std::string& out);
  /// The end: an incomplete character becomes U+FFFD.
  void finish(std::string& out);
  bool holding() const { return !pending_.empty(); }

 private:
  std::string pending_;  // the beginning of a character
};

}  // namespace llm::tokenizer
