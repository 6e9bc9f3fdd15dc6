#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/log.h"
#include "core/quote.h"
#include "tokenizer/bpe_model.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/gguf_model_name.h"
#include "tokenizer/gguf_pre_split.h"
#include "tokenizer/gguf_special_tokens.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/spm_model.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode_classes.h"
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

// "<0xE4>" is the byte E4.
int byte_of_token(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  const std::size_t high = kDigits.find(text[3]), low = kDigits.find(text[4]);
  if (high == std::string_view::npos || low == std::string_view::npos) return -1;
  return static_cast<int>(high * 16 + low);
}

// Phi-4's byte-level vocabulary has no such tokens.
bool strips_after_special(const GgufVocabulary& vocabulary) {
  return vocabulary.model == "llama" && (strips_after_special_by_name(vocabulary.architecture) ||
                                         strips_after_special_by_name(vocabulary.name));
}

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
  TokenType type(std::int32_t id) const { return types_[static_cast<std::size_t>(id)]; }
  Status set_types();
  Status start_spm();
  Status start_byte_level();
  Status start_characters();
  Result<const GgufPreSplit*> choose_pre_split() const;
  Status start_bpe(BpeOptions options);
  Status set_special_ids(bool default_add_bos);

  GgufVocabulary vocabulary_;
  std::vector<TokenType> types_;
  TokenTable by_text_;    // all tokens
  TokenTable mergeable_;  // byte level: without control tokens
  std::unique_ptr<WordEncoder> model_;
  bool byte_level_ = false;  // else a space is U+2581
  bool nfc_ = false;
  PreTokenizer pre_split_;
  bool add_space_prefix_ = false;
  std::vector<std::int32_t> before_, after_;  // BOS and EOS, where they are added
  GgufSpecialTokens special_tokens_;
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
  } else if (vocabulary_.model == "gemma4") {
    LLM_RETURN_IF_ERROR(start_characters());
  } else {
    return core::unsupported("{}: tokenizer.ggml.model {} (supported: llama, gpt2, gemma4)", kWhat,
                             core::quote(vocabulary_.model));
  }
  special_tokens_ =
      GgufSpecialTokens(vocabulary_.tokens, types_, strips_after_special(vocabulary_));
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
    } else if (vocabulary_.model != "gpt2" && byte_of_token(text) >= 0) {
      types_[id] = TokenType::byte;
    }
    if (std::find(kControlTexts.begin(), kControlTexts.end(), text) != kControlTexts.end()) {
      types_[id] = TokenType::control;
    }
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
  add_space_prefix_ = vocabulary_.add_space_prefix.value_or(true);
  return Status();
}

// The pre-split of a byte-level vocabulary. A file from before there was a key for it does not
// tell; a wrong split gives ids that the model has never seen together.
Result<const GgufPreSplit*> GgufTokenizer::choose_pre_split() const {
  if (!vocabulary_.pre.empty()) {
    const GgufPreSplit* const named = find_gguf_pre_split(vocabulary_.pre);
    if (named != nullptr) return named;
    return core::unsupported("{}: tokenizer.ggml.pre {} is not known", kWhat,
                             core::quote(vocabulary_.pre));
  }
  std::string_view name =
      infer_gguf_pre_split(vocabulary_.architecture, vocabulary_.tokens.size(),
                           [this](std::string_view text) { return by_text_.find(text); });
  if (name.empty()) {
    name = "default";
    core::log(core::LogLevel::warning,
              "{}: tokenizer.ggml.pre is missing and the family is not recognised: text is split "
              "as llama.cpp does by default, which may not be how the model was trained; convert "
              "the model again, or set the key",
              kWhat);
  } else {
    core::log(core::LogLevel::warning,
              "{}: tokenizer.ggml.pre is missing; by its architecture and tokens it is {}", kWhat,
              core::quote(name));
  }
  return find_gguf_pre_split(name);
}

Status GgufTokenizer::start_byte_level() {
  LLM_ASSIGN_OR_RETURN(const GgufPreSplit* const pre, choose_pre_split());
  LLM_ASSIGN_OR_RETURN(pre_split_, PreTokenizer::byte_level(pre->expressions));
  LLM_RETURN_IF_ERROR(set_special_ids(pre->add_bos));
  byte_level_ = true;
  nfc_ = pre->nfc;
  BpeOptions options;
  options.byte_words = true;
  options.ignore_merges = pre->ignore_merges;
  return start_bpe(options);
}

Status GgufTokenizer::start_characters() {
  LLM_RETURN_IF_ERROR(set_special_ids(/*default_add_bos=*/true));
  add_space_prefix_ = vocabulary_.add_space_prefix.value_or(false);
  BpeOptions options;
  options.byte_fallback = true;
  return start_bpe(options);
}

Status GgufTokenizer::start_bpe(BpeOptions options) {
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
  LLM_ASSIGN_OR_RETURN(model_, BpeModel::build(mergeable_, merges, std::move(options), kWhat));
  return Status();
}

Status GgufTokenizer::set_special_ids(bool default_add_bos) {
  const bool llama = vocabulary_.model == "llama";  // its ids have defaults
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
  for (const auto& part : special_tokens_.cut(text, options.parse_special)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      after_special = true;
      continue;
    }
    words.text.clear();
    const std::string_view plain = text.substr(part.begin, part.end - part.begin);
    if (byte_level_) {
      if (nfc_) {
        LLM_ASSIGN_OR_RETURN(words.text, normalize(plain, NormalForm::nfc));
      } else {
        words.text = plain;
      }
      LLM_RETURN_IF_ERROR(pre_split_.run(words, matches));
      for (const Words::Word word : words.words) model_->encode(words.view(word), scratch, ids);
    } else {
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
  if (byte_level_) return alphabet_to_bytes(text).value_or(std::string(text));
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
