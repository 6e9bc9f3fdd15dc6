// BpeModel: byte pair encoding with ranked merges, as tokenizer.json's "BPE" model defines it.
// Words are either text (symbols start as characters) or raw bytes of a byte-level vocabulary
// (symbols start as bytes; the vocabulary spells them in the alphabet of byte_level.h).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llm/status.h"
#include "tokenizer/char_table.h"
#include "tokenizer/merge_table.h"
#include "tokenizer/token_table.h"
#include "tokenizer/word_encoder.h"

namespace llm::tokenizer {

struct BpeOptions {
  bool byte_words = false;  ///< words are raw bytes
  bool ignore_merges = false;
  bool byte_fallback = false;  ///< a character without a token becomes its "<0xXX>" tokens
  bool fuse_unknown = false;   ///< neighbouring unknown characters become one unknown token
  std::optional<std::string> unknown_token;  ///< without one, unknown characters vanish
};

class BpeModel : public WordEncoder {
 public:
  using MergeTexts = std::pair<std::string_view, std::string_view>;

  /// `vocabulary` must outlive the model. `what` names it in errors. A merge of unknown tokens, or
  /// into one, is an error. Of two equal merges the later rank counts.
  static Result<std::unique_ptr<BpeModel>> build(const TokenTable& vocabulary,
                                                 const std::vector<MergeTexts>& merges,
                                                 BpeOptions options, std::string_view what);

 private:
  BpeModel(const TokenTable& vocabulary, BpeOptions options)
      : vocabulary_(vocabulary), options_(std::move(options)) {}

  Status add_merges(const std::vector<MergeTexts>& merges, std::string_view what);
  Status set_symbols(std::string_view what);
  std::optional<WordBreaks> find_breaks(const std::vector<MergeTexts>& merges) const;

  std::int32_t whole_word(std::string_view word) const override;
  bool whole_word_wins() const override { return options_.ignore_merges; }
  void merge_word(std::string_view word, MergeScratch& scratch,
                  std::vector<std::int32_t>& ids) const override;
  void add_symbols(std::string_view word, std::vector<Symbol>& symbols) const;

  const TokenTable& vocabulary_;
  BpeOptions options_;
  std::int32_t unknown_id_ = -1;
  MergeTable merges_;
  CharTable chars_;                         // the tokens of single characters
  std::array<std::int32_t, 256> fallback_;  // the tokens "<0x00>" to "<0xFF>", or -1
  // Of a byte-level model:
  std::array<std::int32_t, 256> byte_symbols_;  // the token of each byte, or -1
  bool has_every_byte_ = false;
  std::vector<Merge> byte_merges_;      // of two bytes, where there is a token for each
  std::optional<TokenTable> by_bytes_;  // ids by the bytes they stand for
};

}  // namespace llm::tokenizer
