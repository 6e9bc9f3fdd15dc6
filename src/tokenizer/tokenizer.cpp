#include "tokenizer/tokenizer.h"

#include "tokenizer/utf8_repair.h"

namespace llm::tokenizer {
namespace {

// The bytes of the tokens in a row, made valid UTF-8.
class ByteStream : public DecodeStream {
 public:
  ByteStream(const Tokenizer& tokenizer, bool skip_special, bool continues_text)
      : tokenizer_(tokenizer),
        skip_special_(skip_special),
        strip_space_(!continues_text && tokenizer.strips_leading_space()) {}

  void push(std::int32_t id, std::string& out) override {
    std::string bytes;
    if (!tokenizer_.is_special(id)) {
      bytes = tokenizer_.token_bytes(id);
    } else if (!skip_special_) {
      bytes = tokenizer_.token_text(id);
    }
    if (bytes.empty()) return;
    const bool strip = strip_space_ && bytes.front() == ' ';
    strip_space_ = false;
    repair_.push(std::string_view(bytes).substr(strip ? 1 : 0), out);
  }
  void finish(std::string& out) override { repair_.finish(out); }
  bool holding() const override { return repair_.holding(); }

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_;
  bool strip_space_;
  Utf8Repair repair_;
};

}  // namespace

std::unique_ptr<DecodeStream> Tokenizer::decode_stream(bool skip_special,
                                                       bool continues_text) const {
  return std::make_unique<ByteStream>(*this, skip_special, continues_text);
}

}  // namespace llm::tokenizer
