#include "tokenizer/spm_model.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
Result<std::unique_ptr<SpmModel>> SpmModel::build(const std::vector<Token>& mergeable,
                                                  const std::array<std::int32_t, 256>& bytes,
                                                  std::int32_t unknown_id, std::int32_t vocab_size,
                                                  std::string_view what) {
  std::unique_ptr<SpmModel> model(new SpmModel);
  std::vector<TokenTable::Entry> entries;
  std::vector<float> scores;
  WordBreaks breaks;
  for (const Token& token : mergeable) {
    if (!std::isfinite(token.score)) {
      return core::corrupt_data("{}: the score of token {} ({}) is not finite", what, token.id,
                                core::quote(token.text));
    }
    entries.push_back({token.text, token.id});
    scores.push_back(token.score);
    breaks.add_token(token.text);
    if (!token.text.empty() && utf8_length(token.text[0]) == token.text.size()) {
      model->chars_.set(decode_valid_utf8(token.text.data(), token.text.size()), token.id);
    }
  }
  LLM_ASSIGN_OR_RETURN(model->tokens_, TokenTable::build(entries, what));

  std::sort(scores.begin(), scores.end(), std::greater<>());
  scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
  model->ranks_.assign(static_cast<std::size_t>(model->tokens_->size()), kNoMerge);
  for (const Token& token : mergeable) {
    const auto place =
        std::lower_bound(scores.begin(), scores.end(), token.score, std::greater<>());
    model->ranks_[static_cast<std::size_t>(token.id)] =
        static_cast<std::uint32_t>(place - scores.begin());
  }
  model->bytes_ = bytes;
  model->unknown_id_ = unknown_id;
  breaks.finish();
  model->start(vocab_size, breaks);
  return model;
}

void SpmModel::merge_word(std::string_view word, MergeScratch& scratch,
                          std::vector<std::int32_t>& ids) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.clear();
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t length = utf8_length(word[at]);
    symbols.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(length),
                       chars_[decode_valid_utf8(word.data() + at, length)]});
    at += length;
  }
  const auto lookup = [this, word](const Symbol& left, const Symbol& right) -> Merge {
    const std::int32_t id =
        tokens_->find(word.substr(left.begin, std::size_t{left.bytes} + right.bytes));
    if (id < 0) return {};
    return {ranks_[static_cast<std::size_t>(id)], id};
  };
  merge_symbols(scratch, lookup, lookup);
  for (const Symbol& one : symbols) {
    if (one.id >= 0) {
      ids.push_back(one.id);
      continue;
    }
    for (const char c : word.substr(one.begin, one.bytes)) {
      const std::int32_t id = bytes_[static_cast<std::uint8_t>(c)];
      if (id >= 0) {
        ids.push_back(id);
      } else if (unknown_id_ >= 0) {
        ids.push_back(unknown_id_);
      }
    }
  }
}

}  // namespace llm::tokenizer
