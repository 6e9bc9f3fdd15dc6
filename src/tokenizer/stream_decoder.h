// StreamDecoder: turns a growing sequence of token ids into text pieces. Incomplete UTF-8 is held
// back until its last byte arrives (or finish()); the pieces concatenate to exactly what decoding
// the whole sequence at once gives. Control tokens print nothing. One per generation, one thread.
#pragma once

#include <cstdint>
#include <string>

#include "tokenizer/tokenizer.h"

namespace llm::tokenizer {

class StreamDecoder {
 public:
  /// `tokenizer` must outlive the decoder. `continues_text`: the generation follows a prompt, so a
  /// leading space of its first token belongs to the text and is kept.
  StreamDecoder(const Tokenizer& tokenizer, bool continues_text);

  /// Text that became certain with this token; often empty in the middle of a character.
  std::string push(std::int32_t id);
  /// What was still held back: an incomplete character becomes U+FFFD.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  std::string pending_;
  bool at_start_;
};

}  // namespace llm::tokenizer
