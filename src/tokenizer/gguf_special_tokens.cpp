#include "tokenizer/gguf_special_tokens.h"

#include <algorithm>
#include <utility>

#include "tokenizer/gguf_model_name.h"
#include "tokenizer/unicode_classes.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
GgufSpecialTokens::GgufSpecialTokens(const std::vector<std::string>& tokens,
                                     const std::vector<TokenType>& types, bool strip_after)
    : strip_after_(strip_after) {
  std::vector<std::pair<std::string, std::int32_t>> all, user_defined;
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    const auto id = static_cast<std::int32_t>(at);
    const bool is_user_defined = types[at] == TokenType::user_defined;
    if (!is_user_defined && types[at] != TokenType::control && types[at] != TokenType::unknown) {
      continue;
    }
    all.emplace_back(tokens[at], id);
    if (is_user_defined) user_defined.emplace_back(tokens[at], id);
    if (special_keeps_space(tokens[at])) keep_space_.push_back(id);
  }
  all_ = TokenFinder(std::move(all));
  user_defined_ = TokenFinder(std::move(user_defined));
}

// Longer tokens go first, wherever they are; of equally long ones, lower ids, then from left to
// right. Every position offers its longest token; one that collides offers its next shorter one.
std::vector<GgufSpecialTokens::Part> GgufSpecialTokens::cut(std::string_view text,
                                                            bool parse_special) const {
  using Match = TokenFinder::Match;
  const auto goes_later = [](const Match& a, const Match& b) {
    const std::size_t a_bytes = a.end - a.begin, b_bytes = b.end - b.begin;
    if (a_bytes != b_bytes) return a_bytes < b_bytes;
    return a.id != b.id ? a.id > b.id : a.begin > b.begin;
  };
  const TokenFinder& finder = parse_special ? all_ : user_defined_;
  std::vector<Match> offers;
  Match match;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (finder.longest_at(text, at, text.size(), match)) offers.push_back(match);
  }
  std::vector<Part> parts, tokens;
  std::vector<bool> taken(offers.empty() ? 0 : text.size(), false);
  std::make_heap(offers.begin(), offers.end(), goes_later);
  while (!offers.empty()) {
    std::pop_heap(offers.begin(), offers.end(), goes_later);
    const Match best = offers.back();
    offers.pop_back();
    std::size_t end = best.begin;
    while (end < best.end && !taken[end]) ++end;
    if (end < best.end) {
      if (finder.longest_at(text, best.begin, end - best.begin, match)) {
        offers.push_back(match);
        std::push_heap(offers.begin(), offers.end(), goes_later);
      }
      continue;
    }
    if (strip_after_ &&
        std::find(keep_space_.begin(), keep_space_.end(), best.id) == keep_space_.end()) {
      while (end < text.size() && !taken[end]) {
        const std::size_t length = utf8_length(text[end]);
        if (!is_white_space(decode_valid_utf8(text.data() + end, length))) break;
        end += length;
      }
    }
    for (std::size_t at = best.begin; at < end; ++at) taken[at] = true;
    tokens.push_back({best.id, best.begin, end});
  }
  std::sort(tokens.begin(), tokens.end(),
            [](const Part& a, const Part& b) { return a.begin < b.begin; });
  std::size_t rest = 0;
  for (const Part& token : tokens) {
    if (rest < token.begin) parts.push_back({-1, rest, token.begin});
    parts.push_back(token);
    rest = token.end;
  }
  if (rest < text.size()) parts.push_back({-1, rest, text.size()});
  return parts;
}

}  // namespace llm::tokenizer
