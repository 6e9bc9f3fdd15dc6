// AddedTokens: the "added_tokens" of tokenizer.json, which are cut out of the text before the model
// sees it: first those written as they are, then, from the normalised rest, those that are subject
// to normalisation. Immutable; any thread may use one.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "llm/status.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/token_finder.h"

namespace llm::tokenizer {

struct AddedToken {
  std::int32_t id = -1;
  std::string content;
  bool single_word = false;  ///< only where no word character is next to it
  bool lstrip = false;       ///< swallows the white space before it
  bool rstrip = false;       ///< and after it
  bool normalized = false;   ///< searched in normalised text, by its normalised content
  bool special = false;      ///< a control token
};

class AddedTokens {
 public:
  /// A part of a text: a token, or text (id < 0).
  struct Part {
    std::int32_t id;
    std::size_t begin, end;
  };

  AddedTokens() = default;
  /// Ids must be distinct. `normalizer` may be null.
  static Result<AddedTokens> build(std::vector<AddedToken> tokens, const Normalizer* normalizer);

  const std::map<std::int32_t, AddedToken>& by_id() const { return by_id_; }
  /// Whether this is the content of a control token.
  bool is_special(std::string_view content) const { return special_.contains(content); }
  /// What the decoder gets to see of a token: its normalised content, where that is searched.
  /// Null when `id` is not an added token.
  const std::string* decoder_text(std::int32_t id) const;

  /// The parts of the input as it came, or of normalised text. Control tokens are not cut out
  /// without `parse_special`.
  std::vector<Part> cut(std::string_view text, bool parse_special) const {
    return cut(text, parse_special, plain_);
  }
  std::vector<Part> cut_normalized(std::string_view text, bool parse_special) const {
    return cut(text, parse_special, normalized_);
  }

 private:
  std::vector<Part> cut(std::string_view text, bool parse_special, const TokenFinder& finder) const;

  std::map<std::int32_t, AddedToken> by_id_;
  std::map<std::int32_t, std::string> normalized_text_;
  std::set<std::string, std::less<>> special_;
  TokenFinder plain_, normalized_;
};

}  // namespace llm::tokenizer
