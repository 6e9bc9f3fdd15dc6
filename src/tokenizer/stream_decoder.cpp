#include "tokenizer/stream_decoder.h"

namespace llm::tokenizer {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool continues_text)
    : vocab_size_(tokenizer.vocab_size()),
      stream_(tokenizer.decode_stream(/*skip_special=*/true, continues_text)) {}

std::string StreamDecoder::push(std::int32_t id) {
  std::string piece;
  if (id >= 0 && id < vocab_size_) stream_->push(id, piece);
  return piece;
}

std::string StreamDecoder::finish() {
  std::string piece;
  stream_->finish(piece);
  return piece;
}

}  // namespace llm::tokenizer
