#include "tokenizer/added_tokens.h"

#include <algorithm>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/unicode_classes.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

// Begin of the last character before `end`, which must not be 0.
std::size_t previous_character(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

char32_t character_at(std::string_view text, std::size_t at) {
  return decode_valid_utf8(text.data() + at, utf8_length(text[at]));
}

bool word_before(std::string_view text, std::size_t at) {
  return at > 0 && is_word(character_at(text, previous_character(text, at)));
}

bool word_at(std::string_view text, std::size_t at) {
  return at < text.size() && is_word(character_at(text, at));
}

}  // namespace

Result<AddedTokens> AddedTokens::build(std::vector<AddedToken> tokens,
                                       const Normalizer* normalizer) {
  AddedTokens result;
  std::vector<std::pair<std::string, std::int32_t>> plain, normalized;
  MatchBuffer buffer;
  for (AddedToken& token : tokens) {
    if (token.special) result.special_.insert(token.content);
    if (!token.normalized) {
      plain.emplace_back(token.content, token.id);
    } else {
      NormalizedText text{token.content};
      if (normalizer != nullptr) LLM_RETURN_IF_ERROR(normalizer->apply(text, buffer));
      if (text.text.empty()) {
        return core::corrupt_data("{} is nothing after normalisation", core::quote(token.content));
      }
      normalized.emplace_back(text.text, token.id);
      result.normalized_text_.emplace(token.id, std::move(text.text));
    }
    const std::int32_t id = token.id;
    result.by_id_.emplace(id, std::move(token));
  }
  result.plain_ = TokenFinder(std::move(plain));
  result.normalized_ = TokenFinder(std::move(normalized));
  return result;
}

const std::string* AddedTokens::decoder_text(std::int32_t id) const {
  const auto token = by_id_.find(id);
  if (token == by_id_.end()) return nullptr;
  const auto normalized = normalized_text_.find(id);
  return normalized != normalized_text_.end() ? &normalized->second : &token->second.content;
}

std::vector<AddedTokens::Part> AddedTokens::cut(std::string_view text, bool parse_special,
                                                const TokenFinder& finder) const {
  std::vector<Part> parts;
  std::size_t rest = 0;
  TokenFinder::Match match;
  for (std::size_t from = 0; finder.find(text, from, match);) {
    // The search goes on behind the token itself, not behind the white space it swallows.
    from = match.end;
    const AddedToken& token = by_id_.at(match.id);
    if (!parse_special && token.special) continue;
    if (token.single_word && (word_before(text, match.begin) || word_at(text, match.end))) continue;
    std::size_t begin = match.begin;
    if (token.lstrip) {
      while (begin > 0) {
        const std::size_t before = previous_character(text, begin);
        if (!is_white_space(character_at(text, before))) break;
        begin = before;
      }
      begin = std::max(begin, rest);
    }
    std::size_t end = match.end;
    if (token.rstrip) {
      while (end < text.size() && is_white_space(character_at(text, end))) {
        end += utf8_length(text[end]);
      }
    }
    if (rest < begin) parts.push_back({-1, rest, begin});
    parts.push_back({match.id, begin, end});
    rest = end;
  }
  if (rest < text.size()) parts.push_back({-1, rest, text.size()});
  return parts;
}

}  // namespace llm::tokenizer
