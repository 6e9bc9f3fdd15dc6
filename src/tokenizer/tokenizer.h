// Tokenizer: text to token ids and back, for one vocabulary. Built either from Hugging Face's
// tokenizer.json, executed as written, or from the vocabulary of a GGUF file. Immutable after
// construction: encode and decode may be called from any thread.
//
// Of tokenizer.json, "truncation" and "padding" are not applied: a prompt is never cut or filled up
// silently (Hugging Face's transformers switches both off as well unless asked). Unsupported parts,
// unknown options and inconsistent tables are errors.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llm/status.h"

namespace llm::tokenizer {

/// GGUF's token_type values (docs/gguf.md, tokenizer.ggml.token_type).
enum class TokenType : std::uint8_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6,
};

/// The tokenizer.ggml.* metadata of a GGUF file, as plain data. Ids are -1 when absent.
struct GgufVocabulary {
  /// general.architecture and general.name: they tell what the vocabulary's own keys leave out.
  std::string architecture, name;
  /// "llama" (SentencePiece BPE), "gpt2" (byte-level BPE) or "gemma4" (BPE over characters)
  std::string model;
  std::string pre;  ///< name of the pre-split, e.g. "llama-bpe"; empty when absent
  std::vector<std::string> tokens;
  std::vector<float> scores;              ///< empty or one per token
  std::vector<std::int32_t> token_types;  ///< empty or one per token
  std::vector<std::string> merges;        ///< "left right"
  std::int32_t bos_id = -1, eos_id = -1, unknown_id = -1, padding_id = -1;
  std::optional<bool> add_bos, add_eos, add_space_prefix;
};

struct EncodeOptions {
  /// Add what the post-processor adds (BOS, EOS).
  bool add_special = true;
  /// Recognise control tokens written in the text; off, their text is ordinary text (user-defined
  /// and other non-special added tokens split in any case).
  bool parse_special = true;
};

/// Decodes a sequence token by token: text comes out as soon as no later token can change it.
/// Belongs to one thread and must not outlive its tokenizer.
class DecodeStream {
 public:
  virtual ~DecodeStream() = default;
  /// Appends to `out` what became certain with this token, which must be in range.
  virtual void push(std::int32_t id, std::string& out) = 0;
  /// Appends what was still held back; an incomplete character becomes U+FFFD.
  virtual void finish(std::string& out) = 0;
  /// Whether text of past tokens is held back.
  virtual bool holding() const = 0;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Any byte sequence is accepted; invalid UTF-8 is read as U+FFFD (one per maximal invalid
  /// subpart) where the pipeline works on characters.
  virtual Result<std::vector<std::int32_t>> encode(std::string_view text,
                                                   EncodeOptions options = {}) const = 0;
  /// Text of the whole sequence, as the decoder defines it. Ids out of range are an error.
  virtual Result<std::string> decode(std::span<const std::int32_t> ids,
                                     bool skip_special) const = 0;
  /// Bytes that one token stands for inside running text (a byte of a multi-byte character alone is
  /// possible); control tokens give nothing. `id` must be in range.
  virtual std::string token_bytes(std::int32_t id) const = 0;
  /// The vocabulary's own spelling of a token, e.g. "Ġthe", "▁the", "<0x0A>".
  virtual std::string_view token_text(std::int32_t id) const = 0;
  virtual std::optional<std::int32_t> token_id(std::string_view token_text) const = 0;
  /// Control tokens: never printed.
  virtual bool is_special(std::int32_t id) const = 0;
  /// One more than the highest id.
  virtual std::int32_t vocab_size() const = 0;
  /// What the decoder strips at the very start of a text (SentencePiece: one leading space).
  virtual bool strips_leading_space() const = 0;
  /// Its output, with finish(), is exactly what decode() gives for the same ids. `continues_text`:
  /// the ids follow others, so nothing is stripped at the start. The default decodes the bytes of
  /// the tokens.
  virtual std::unique_ptr<DecodeStream> decode_stream(bool skip_special, bool continues_text) const;
};

/// `tokenizer_config_json` may be empty. Two things are taken from it, as transformers does: the
/// tokens of "added_tokens_decoder", which replace tokens of the same text, and, when
/// tokenizer.json has no post_processor, "add_bos_token" and "add_eos_token".
Result<std::unique_ptr<Tokenizer>> tokenizer_from_json(std::string_view tokenizer_json,
                                                       std::string_view tokenizer_config_json);
/// An unknown model or pre-split name is an error that names it. A byte-level vocabulary without a
/// name gets its family's pre-split where the architecture or the tokens tell the family, else the
/// one that llama.cpp uses then; either way a warning is logged.
Result<std::unique_ptr<Tokenizer>> tokenizer_from_gguf(GgufVocabulary vocabulary);

}  // namespace llm::tokenizer
