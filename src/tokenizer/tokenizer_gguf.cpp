#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/bpe_model.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/gguf_pre_split.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/spm_model.h"
#include "tokenizer/token_finder.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

constexpr std::string_view kWhat = "GGUF vocabulary";
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 30;

// Converters do not always mark these as control tokens.
constexpr std::array<std::string_view, 13> kControlTexts = {
    "<|eot_id|>",    "<|im_end|>",    "<|end|>",           "<|return|>", "<|call|>",
    "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>",   "<|eom_id|>", "<EOT>",
    "_<EOT>",        "<|fim_pad|>",   "<end_of_utterance>"};

// Phi-3's special tokens that do not swallow the white space behind them.
constexpr std::array<std::string_view, 3> kKeepsSpace = {"<unk>", "<s>", "<|endoftext|>"};

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// "<0xE4>" is the byte E4.
int byte_of_token(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  const std::size_t high = kDigits.find(text[3]), low = kDigits.find(text[4]);
  if (high == std::string_view::npos || low == std::string_view::npos) return -1;
  return static_cast<int>(high * 16 + low);
}

bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

class GgufTokenizer : public Tokenizer {
 public:
  explicit GgufTokenizer(GgufVocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  Status start();

  Result<std::vector<std::int32_t>> encode(std::string_view text,
                                           EncodeOptions options) const override;
  Result<std::string> decode(std::span<const std::int32_t> ids, bool skip_special) const override;
  std::string token_bytes(std::int32_t id) const override;
  std::string_view token_text(std::int32_t id) const override {
    return vocabulary_.tokens[static_cast<std::size_t>(id)];
  }
  std::optional<std::int32_t> token_id(std::string_view token_text) const override {
    const std::int32_t id = by_text_.find(token_text);
    return id >= 0 ? std::optional(id) : std::nullopt;
  }
  bool is_special(std::int32_t id) const override {
    return type(id) == TokenType::control || type(id) == TokenType::unknown;
  }
  std::int32_t vocab_size() const override {
    return static_cast<std::int32_t>(vocabulary_.tokens.size());
  }
  bool strips_leading_space() const override { return add_space_prefix_; }

 private:
  // A part of a text: a token, or text (id < 0).
  struct Part {
    std::int32_t id;
    std::size_t begin, end;
  };

  TokenType type(std::int32_t id) const { return types_[static_cast<std::size_t>(id)]; }
  Status set_types();
  Status start_spm();
  Status start_byte_level();
  Status set_special_ids(bool default_add_bos);
  void find_specials();
  std::vector<Part> cut(std::string_view text, bool parse_special) const;

  GgufVocabulary vocabulary_;
  std::vector<TokenType> types_;
  TokenTable by_text_;    // all tokens
  TokenTable mergeable_;  // byte level: without control tokens
  std::unique_ptr<WordEncoder> model_;
  bool spm_ = false;
  PreTokenizer pre_split_;
  bool add_space_prefix_ = false;
  std::vector<std::int32_t> before_, after_;  // BOS and EOS, where they are added
  TokenFinder specials_, user_defined_;
};

Status GgufTokenizer::start() {
  const std::size_t count = vocabulary_.tokens.size();
  if (count == 0) return core::corrupt_data("{}: there are no tokens", kWhat);
  if (count > static_cast<std::size_t>(kMaxVocabulary)) {
    return core::corrupt_data("{}: {} tokens; at most {} are supported", kWhat, count,
                              kMaxVocabulary);
  }
  std::vector<TokenTable::Entry> entries;
  for (std::size_t id = 0; id < count; ++id) {
    const std::string& text = vocabulary_.tokens[id];
    if (!is_valid_utf8(text)) {
      return core::corrupt_data("{}: the text of token {} is not UTF-8", kWhat, id);
    }
    entries.push_back({text, static_cast<std::int32_t>(id)});
  }
  LLM_ASSIGN_OR_RETURN(by_text_, TokenTable::build(entries, kWhat));
  LLM_RETURN_IF_ERROR(set_types());
  if (vocabulary_.model == "llama") {
    LLM_RETURN_IF_ERROR(start_spm());
  } else if (vocabulary_.model == "gpt2") {
    LLM_RETURN_IF_ERROR(start_byte_level());
  } else {
    return core::unsupported("{}: tokenizer.ggml.model {} (supported: llama, gpt2)", kWhat,
                             core::quote(vocabulary_.model));
  }
  find_specials();
  return Status();
}

Status GgufTokenizer::set_types() {
  const std::size_t count = vocabulary_.tokens.size();
  const std::vector<std::int32_t>& given = vocabulary_.token_types;
  if (!given.empty() && given.size() != count) {
    return core::corrupt_data("{}: {} token types for {} tokens", kWhat, given.size(), count);
  }
  types_.assign(count, TokenType::normal);
  for (std::size_t id = 0; id < count; ++id) {
    const std::string& text = vocabulary_.tokens[id];
    if (!given.empty()) {
      if (given[id] < 0 || given[id] > static_cast<std::int32_t>(TokenType::byte)) {
        return core::corrupt_data("{}: token {} has type {}; types go from 1 to 6", kWhat, id,
                                  given[id]);
      }
      // 0 is "undefined" in files of old converters; such tokens print nothing, as unused ones.
      types_[id] = given[id] == 0 ? TokenType::unused : static_cast<TokenType>(given[id]);
    } else if (vocabulary_.model == "llama" && byte_of_token(text) >= 0) {
      types_[id] = TokenType::byte;
    }
    if (is_one_of(text, kControlTexts)) types_[id] = TokenType::control;
  }
  return Status();
}

Status GgufTokenizer::start_spm() {
  const std::size_t count = vocabulary_.tokens.size();
  if (vocabulary_.scores.size() != count) {
    return core::corrupt_data("{}: {} scores for {} tokens", kWhat, vocabulary_.scores.size(),
                              count);
  }
  LLM_RETURN_IF_ERROR(set_special_ids(/*default_add_bos=*/true));
  std::array<std::int32_t, 256> bytes;
  bytes.fill(-1);
  std::vector<SpmModel::Token> mergeable;
  std::int32_t unknown = vocabulary_.unknown_id;
  for (std::size_t at = 0; at < count; ++at) {
    const auto id = static_cast<std::int32_t>(at);
    switch (types_[at]) {
      case TokenType::normal:
      case TokenType::user_defined:
        mergeable.push_back({vocabulary_.tokens[at], id, vocabulary_.scores[at]});
        break;
      case TokenType::byte:
        if (const int byte = byte_of_token(vocabulary_.tokens[at]); byte >= 0) {
          bytes[static_cast<std::size_t>(byte)] = id;
        } else {
          return core::corrupt_data("{}: byte token {} is spelled {}", kWhat, at,
                                    core::quote(vocabulary_.tokens[at]));
        }
        break;
      case TokenType::unknown:
        if (unknown < 0) unknown = id;
        break;
      case TokenType::control:
      case TokenType::unused:
        break;
    }
  }
  LLM_ASSIGN_OR_RETURN(model_, SpmModel::build(mergeable, bytes, unknown, vocab_size(), kWhat));
  spm_ = true;
  add_space_prefix_ = vocabulary_.add_space_prefix.value_or(true);
  return Status();
}

Status GgufTokenizer::start_byte_level() {
  // Files from before tokenizer.ggml.pre get the split that llama.cpp gives them.
  const std::string& name = vocabulary_.pre.empty() ? "default" : vocabulary_.pre;
  const GgufPreSplit* pre = find_gguf_pre_split(name);
  if (pre == nullptr) {
    return core::unsupported("{}: tokenizer.ggml.pre {} is not known", kWhat, core::quote(name));
  }
  LLM_ASSIGN_OR_RETURN(pre_split_, PreTokenizer::byte_level(pre->expressions));
  LLM_RETURN_IF_ERROR(set_special_ids(pre->add_bos));

  std::vector<TokenTable::Entry> entries;
  for (std::int32_t id = 0; id < vocab_size(); ++id) {
    if (!is_special(id)) entries.push_back({token_text(id), id});
  }
  LLM_ASSIGN_OR_RETURN(mergeable_, TokenTable::build(entries, kWhat));
  std::vector<BpeModel::MergeTexts> merges;
  merges.reserve(vocabulary_.merges.size());
  for (std::size_t rank = 0; rank < vocabulary_.merges.size(); ++rank) {
    const std::string_view line = vocabulary_.merges[rank];
    const std::size_t space = line.find(' ', 1);
    if (space == std::string_view::npos) {
      return core::corrupt_data("{}: merges[{}] is {}, expected \"left right\"", kWhat, rank,
                                core::quote(line));
    }
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  BpeOptions options;
  options.byte_words = true;
  options.ignore_merges = pre->ignore_merges;
  LLM_ASSIGN_OR_RETURN(model_, BpeModel::build(mergeable_, merges, options, kWhat));
  return Status();
}

Status GgufTokenizer::set_special_ids(bool default_add_bos) {
  const bool llama = vocabulary_.model == "llama";
  struct End {
    const char* name;
    std::int32_t id;
    std::int32_t llama_default;
    std::optional<bool> add;
    bool default_add;
    std::vector<std::int32_t>& ids;
  };
  const End ends[2] = {
      {"bos", vocabulary_.bos_id, 1, vocabulary_.add_bos, default_add_bos, before_},
      {"eos", vocabulary_.eos_id, 2, vocabulary_.add_eos, false, after_}};
  for (const End& end : ends) {
    if (!end.add.value_or(end.default_add)) continue;
    const std::int32_t id = end.id < 0 && llama ? end.llama_default : end.id;
    if (id < 0 && !end.add) continue;
    if (id < 0 || id >= vocab_size()) {
      return core::corrupt_data(
          "{}: add_{}_token is set, but {}_token_id is {}; the vocabulary has {} tokens", kWhat,
          end.name, end.name, id, vocab_size());
    }
    end.ids.push_back(id);
  }
  return Status();
}

void GgufTokenizer::find_specials() {
  std::vector<std::pair<std::string, std::int32_t>> specials, user_defined;
  for (std::int32_t id = 0; id < vocab_size(); ++id) {
    if (type(id) != TokenType::user_defined && !is_special(id)) continue;
    specials.emplace_back(token_text(id), id);
    if (type(id) == TokenType::user_defined) user_defined.emplace_back(token_text(id), id);
  }
  specials_ = TokenFinder(std::move(specials));
  user_defined_ = TokenFinder(std::move(user_defined));
}

// Longer tokens go first, wherever they are; of equally long ones, lower ids, then from left to
// right. Every position offers its longest token; one that collides offers its next shorter one.
std::vector<GgufTokenizer::Part> GgufTokenizer::cut(std::string_view text,
                                                    bool parse_special) const {
  using Match = TokenFinder::Match;
  const auto goes_later = [](const Match& a, const Match& b) {
    const std::size_t a_bytes = a.end - a.begin, b_bytes = b.end - b.begin;
    if (a_bytes != b_bytes) return a_bytes < b_bytes;
    return a.id != b.id ? a.id > b.id : a.begin > b.begin;
  };
  const TokenFinder& finder = parse_special ? specials_ : user_defined_;
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
    if (vocabulary_.strip_after_special && !is_one_of(token_text(best.id), kKeepsSpace)) {
      while (end < text.size() && !taken[end] && is_ascii_space(text[end])) ++end;
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

Result<std::vector<std::int32_t>> GgufTokenizer::encode(std::string_view text,
                                                        EncodeOptions options) const {
  if (text.size() > kMaxTextBytes) {
    return core::invalid_argument("a text of {} bytes; at most {} can be tokenized", text.size(),
                                  kMaxTextBytes);
  }
  std::string repaired;
  if (!is_valid_utf8(text)) {
    repaired = replace_invalid_utf8(text);
    text = repaired;
  }
  std::vector<std::int32_t> ids;
  ids.reserve(text.size() / 4 + 8);
  if (options.add_special) ids = before_;
  WordEncoder::Scratch scratch;
  MatchBuffer matches;
  Words words;
  bool after_special = true;
  for (const Part& part : cut(text, options.parse_special)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      after_special = true;
      continue;
    }
    words.text.clear();
    const std::string_view plain = text.substr(part.begin, part.end - part.begin);
    if (spm_) {
      // A text, and what follows a special token, begins with a space.
      if (add_space_prefix_ && after_special) words.text = kSpaceMark;
      for (const char c : plain) {
        if (c == ' ') {
          words.text += kSpaceMark;
        } else {
          words.text += c;
        }
      }
      model_->encode(words.text, scratch, ids);
    } else {
      words.text = plain;
      LLM_RETURN_IF_ERROR(pre_split_.run(words, matches));
      for (const Words::Word word : words.words) model_->encode(words.view(word), scratch, ids);
    }
    after_special = false;
  }
  if (options.add_special) ids.insert(ids.end(), after_.begin(), after_.end());
  return ids;
}

Result<std::string> GgufTokenizer::decode(std::span<const std::int32_t> ids,
                                          bool skip_special) const {
  const auto stream = decode_stream(skip_special, /*continues_text=*/false);
  std::string text;
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= vocab_size()) {
      return core::invalid_argument("token id {} is out of range: the vocabulary has {}", id,
                                    vocab_size());
    }
    stream->push(id, text);
  }
  stream->finish(text);
  return text;
}

std::string GgufTokenizer::token_bytes(std::int32_t id) const {
  const std::string_view text = token_text(id);
  switch (type(id)) {
    case TokenType::control:
    case TokenType::unknown:
    case TokenType::unused:
      return "";
    case TokenType::user_defined:
      return std::string(text);
    case TokenType::byte:
      if (const int byte = byte_of_token(text); byte >= 0) {
        return std::string(1, static_cast<char>(byte));
      }
      return std::string(text);
    case TokenType::normal:
      break;
  }
  if (!spm_) return alphabet_to_bytes(text).value_or(std::string(text));
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = text.find(kSpaceMark); at != std::string_view::npos;
       at = text.find(kSpaceMark, copied)) {
    out.append(text, copied, at - copied) += ' ';
    copied = at + kSpaceMark.size();
  }
  return out.append(text, copied);
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> tokenizer_from_gguf(GgufVocabulary vocabulary) {
  auto tokenizer = std::make_unique<GgufTokenizer>(std::move(vocabulary));
  LLM_RETURN_IF_ERROR(tokenizer->start());
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

}  // namespace llm::tokenizer
