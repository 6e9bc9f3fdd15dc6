// SpmModel: SentencePiece's byte pair encoding, where a pair merges when the vocabulary holds its
// text and the score of that token ranks the merge. Words are text; a character without a token
// becomes byte tokens.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "llm/status.h"
#include "tokenizer/char_table.h"
#include "tokenizer/token_table.h"
#include "tokenizer/word_encoder.h"

namespace llm::tokenizer {

class SpmModel : public WordEncoder {
 public:
  struct Token {
    std::string_view text;
    std::int32_t id;
    float score;
  };

  /// `mergeable`: the tokens that text may become. `bytes`: the byte tokens, -1 where there is
  /// none; a byte without a token becomes `unknown_id`, or vanishes when that is negative.
  static Result<std::unique_ptr<SpmModel>> build(const std::vector<Token>& mergeable,
                                                 const std::array<std::int32_t, 256>& bytes,
                                                 std::int32_t unknown_id, std::int32_t vocab_size,
                                                 std::string_view what);

 private:
  SpmModel() = default;

  std::int32_t whole_word(std::string_view word) const override { return tokens_->find(word); }
  bool whole_word_wins() const override { return false; }
  void merge_word(std::string_view word, MergeScratch& scratch,
                  std::vector<std::int32_t>& ids) const override;

  std::optional<TokenTable> tokens_;
  CharTable chars_;                   // the tokens of single characters
  std::vector<std::uint32_t> ranks_;  // by id: 0 for the highest score; equal scores share a rank
  std::array<std::int32_t, 256> bytes_;
  std::int32_t unknown_id_ = -1;
};

}  // namespace llm::tokenizer
