// StreamDecoder: turns a growing sequence of token ids into text pieces. Incomplete UTF-8 is held
// back until its last byte arrives (or finish()); the pieces concatenate to exactly what decoding
// the whole sequence at once gives. Control tokens print nothing. One per generation, one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tokenizer/tokenizer.h"

namespace llm::tokenizer {

class StreamDecoder {
 public:
  /// `tokenizer` must outlive the decoder. `continues_text`: the generation follows a prompt, so a
  /// leading space of its first token belongs to the text and is kept.
  StreamDecoder(const Tokenizer& tokenizer, bool continues_text);

  /// Text that became certain with this token; often empty in the middle of a character. Ids that
  /// the vocabulary does not have give nothing.
  std::string push(std::int32_t id);
  /// What was still held back: an incomplete character becomes U+FFFD.
  std::string finish();
  /// Whether text of past tokens is held back.
  bool holding() const { return stream_->holding(); }

 private:
  std::int32_t vocab_size_;
  std::unique_ptr<DecodeStream> stream_;
};

}  // namespace llm::tokenizer
