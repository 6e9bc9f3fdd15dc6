#include "tokenizer/gguf_export.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/json.h"
#include "core/quote.h"
#include "tokenizer/gguf_model_name.h"
#include "tokenizer/gguf_pre_name.h"
#include "tokenizer/spm_export.h"

namespace llm::tokenizer {
namespace {

using core::Json;

constexpr std::string_view kFile = "tokenizer.json";
constexpr std::string_view kMark = "▁";

struct AddedFlags {
  std::int32_t id;
  std::string content;
  bool lstrip, rstrip, single_word;
};

/// Tokens that are control tokens in spite of what their file says, as every converter sees it.
bool looks_special(std::string_view text) {
  return text == "<pad>" || text == "<mask>" || text == "<2mass>" || text == "[@BOS@]" ||
         (text.starts_with("<|") && text.ends_with("|>")) ||
         (text.starts_with("<｜") && text.ends_with("｜>")) ||
         (text.starts_with("<unused") && text.ends_with(">"));
}

bool is_byte_token(std::string_view text) {
  return text.size() == 6 && text.starts_with("<0x") && text.ends_with('>');
}

AddedFlags flags_of(std::int32_t id, const Json& token) {
  const auto flag = [&](const char* key) {
    const auto found = token.find(key);
    return found != token.end() && found->is_boolean() && found->get<bool>();
  };
  return {id, token["content"].get<std::string>(), flag("lstrip"), flag("rstrip"),
          flag("single_word")};
}

/// Of both files; one in tokenizer_config.json replaces one of the same text.
std::vector<AddedFlags> added_tokens(const Json& document, const Json& config) {
  std::vector<AddedFlags> tokens;
  if (const auto listed = document.find("added_tokens");
      listed != document.end() && listed->is_array()) {
    for (const Json& token : *listed) {
      tokens.push_back(flags_of(token["id"].get<std::int32_t>(), token));
    }
  }
  const auto more = config.is_object() ? config.find("added_tokens_decoder") : config.end();
  if (more == config.end() || !more->is_object()) return tokens;
  for (const auto& [id, token] : more->items()) {
    AddedFlags added = flags_of(std::stoi(id), token);
    const auto same = std::find_if(tokens.begin(), tokens.end(), [&](const AddedFlags& known) {
      return known.content == added.content;
    });
    if (same == tokens.end()) {
      tokens.push_back(std::move(added));
    } else {
      *same = std::move(added);
    }
  }
  return tokens;
}

/// What is added around a text.
struct Ends {
  std::vector<std::int32_t> before, after;
};

Result<Ends> ends_of(const Tokenizer& tokenizer) {
  constexpr std::string_view kText = "a";
  LLM_ASSIGN_OR_RETURN(const auto with, tokenizer.encode(kText, {.add_special = true}));
  LLM_ASSIGN_OR_RETURN(const auto without, tokenizer.encode(kText, {.add_special = false}));
  const auto text = std::search(with.begin(), with.end(), without.begin(), without.end());
  Ends ends{{with.begin(), text}, {}};
  if (text != with.end()) {
    ends.after.assign(text + static_cast<std::ptrdiff_t>(without.size()), with.end());
  }
  if (ends.before.size() > 1 || ends.after.size() > 1) {
    return core::unsupported(
        "{}: the post-processor adds {} tokens before a text and {} after it; GGUF has a place for "
        "one each",
        kFile, ends.before.size(), ends.after.size());
  }
  return ends;
}

class Exporter {
 public:
  Exporter(const Json& document, const Json& config, const Tokenizer& tokenizer,
           const GgufExportOptions& options)
      : document_(document),
        config_(config),
        tokenizer_(tokenizer),
        vocab_size_(options.vocab_size),
        sentencepiece_(options.sentencepiece) {}

  Result<GgufExport> run();

 private:
  Status add_byte_level();
  Status add_spm();
  void add_tokens();
  void add_types(bool spm);
  Status add_ends();
  std::int32_t config_token(std::string_view name) const;
  void note_lost_flags();
  void warn(std::string message) { out_.warnings.push_back(std::move(message)); }
  const Json& model() const { return document_["model"]; }

  const Json& document_;
  const Json& config_;
  const Tokenizer& tokenizer_;
  std::int32_t vocab_size_;
  bool sentencepiece_;
  std::vector<AddedFlags> added_;
  GgufExport out_;
};

const Json& member(const Json& object, const char* key) {
  static const Json kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

/// Whether one of the steps turns text into bytes.
bool has_byte_level(const Json& step) {
  if (!step.is_object()) return false;
  if (step["type"] != "Sequence") return step["type"] == "ByteLevel";
  const Json& steps = step["pretokenizers"];
  return std::any_of(steps.begin(), steps.end(), has_byte_level);
}

Result<GgufExport> Exporter::run() {
  added_ = added_tokens(document_, config_);
  const bool byte_level = has_byte_level(member(document_, "pre_tokenizer"));
  add_tokens();
  add_types(!byte_level);
  LLM_RETURN_IF_ERROR(byte_level ? add_byte_level() : add_spm());
  LLM_RETURN_IF_ERROR(add_ends());
  note_lost_flags();
  return std::move(out_);
}

void Exporter::add_tokens() {
  std::vector<std::string>& tokens = out_.vocabulary.tokens;
  std::int32_t beyond = 0;
  for (std::int32_t id = 0; id < tokenizer_.vocab_size(); ++id) {
    const std::string_view text = tokenizer_.token_text(id);
    if (id >= vocab_size_) {
      beyond += text.empty() ? 0 : 1;
    } else {
      tokens.emplace_back(text);
    }
  }
  if (beyond > 0) {
    warn(fmt::format("{}: {} tokens have no row in the embedding and are left out", kFile, beyond));
  }
  tokens.resize(static_cast<std::size_t>(vocab_size_));
}

void Exporter::add_types(bool spm) {
  GgufVocabulary& vocabulary = out_.vocabulary;
  std::vector<TokenType> types(vocabulary.tokens.size(), TokenType::normal);
  const Json& unknown = member(model(), "unk_token");
  for (std::size_t id = 0; id < types.size(); ++id) {
    std::string& text = vocabulary.tokens[id];
    if (text.empty()) {
      types[id] = TokenType::unused;
      text = fmt::format("[PAD{}]", id);
    } else if (spm && is_byte_token(text)) {
      types[id] = TokenType::byte;
    }
  }
  for (const AddedFlags& token : added_) {
    if (token.content.empty() || token.id >= vocab_size_) continue;
    const auto id = static_cast<std::size_t>(token.id);
    if (tokenizer_.is_special(token.id) || looks_special(token.content)) {
      types[id] = TokenType::control;
      continue;
    }
    types[id] = TokenType::user_defined;
    // Readers look for these in the text as it is written.
    std::string& text = vocabulary.tokens[id];
    for (auto at = text.find(kMark); at != std::string::npos; at = text.find(kMark)) {
      text.replace(at, kMark.size(), " ");
    }
  }
  if (spm && unknown.is_string()) {
    if (const auto id = tokenizer_.token_id(unknown.get<std::string>()); id && *id < vocab_size_) {
      types[static_cast<std::size_t>(*id)] = TokenType::unknown;
      vocabulary.unknown_id = *id;
    }
  }
  for (const TokenType type : types) {
    vocabulary.token_types.push_back(static_cast<std::int32_t>(type));
  }
}

Status Exporter::add_byte_level() {
  GgufVocabulary& vocabulary = out_.vocabulary;
  const Json& normalizer = member(document_, "normalizer");
  if (normalizer.is_object() && normalizer["type"] == "NFC") {
    warn(
        fmt::format("{}: GGUF has no place for the normaliser NFC: text that is not in that form "
                    "is tokenised otherwise",
                    kFile));
  } else if (!normalizer.is_null()) {
    return core::unsupported("{}: GGUF has no place for normalizer {}", kFile,
                             core::quote(normalizer.dump(), 400));
  }
  const Json& ignore_merges = member(model(), "ignore_merges");
  const auto pre = find_gguf_pre_name(member(document_, "pre_tokenizer"),
                                      ignore_merges.is_boolean() && ignore_merges.get<bool>());
  if (!pre) return pre.error().with_prefix(kFile);
  if (!pre->difference.empty()) {
    warn(fmt::format("{}: the pre-tokenizer is GGUF's \"{}\" but for one thing: with GGUF, {}",
                     kFile, pre->name, pre->difference));
  }
  vocabulary.model = "gpt2";
  vocabulary.pre = pre->name;
  for (const MergeTexts& merge : merges_of(model())) {
    if (merge.left.find(' ') != std::string::npos || merge.right.find(' ') != std::string::npos) {
      return core::unsupported("{}: merges: GGUF has no place for a space in {} or {}", kFile,
                               core::quote(merge.left), core::quote(merge.right));
    }
    vocabulary.merges.push_back(fmt::format("{} {}", merge.left, merge.right));
  }
  return {};
}

Status Exporter::add_spm() {
  GgufVocabulary& vocabulary = out_.vocabulary;
  const Json& fallback = member(model(), "byte_fallback");
  if (!fallback.is_boolean() || !fallback.get<bool>()) {
    return core::unsupported(
        "{}: neither a byte-level nor a byte-fallback vocabulary: GGUF has no place for it", kFile);
  }
  vocabulary.model = "llama";
  vocabulary.pre = "default";
  auto spaces = spm_spaces(member(document_, "normalizer"), member(document_, "pre_tokenizer"));
  if (!spaces) return spaces.error().with_prefix(kFile);
  vocabulary.add_space_prefix = spaces->prefix;
  if (!spaces->difference.empty()) warn(fmt::format("{}: {}", kFile, spaces->difference));
  SpmScores found = spm_scores(vocabulary.tokens, vocabulary.token_types, merges_of(model()));
  if (!found.difference.empty()) {
    if (!sentencepiece_) {
      return core::unsupported("{}: GGUF has no place for these merges: {}", kFile,
                               found.difference);
    }
    warn(fmt::format("{}: {}", kFile, found.difference));
  }
  vocabulary.scores = std::move(found.scores);
  return {};
}

/// The id of e.g. "bos_token" in tokenizer_config.json, or -1.
std::int32_t Exporter::config_token(std::string_view name) const {
  if (!config_.is_object()) return -1;
  auto found = config_.find(name);
  if (found == config_.end()) return -1;
  const Json& text = found->is_object() ? member(*found, "content") : *found;
  if (!text.is_string()) return -1;
  const auto id = tokenizer_.token_id(text.get<std::string>());
  return id && *id < vocab_size_ ? *id : -1;
}

Status Exporter::add_ends() {
  GgufVocabulary& vocabulary = out_.vocabulary;
  LLM_ASSIGN_OR_RETURN(const Ends ends, ends_of(tokenizer_));
  vocabulary.add_bos = !ends.before.empty();
  vocabulary.add_eos = !ends.after.empty();
  vocabulary.bos_id = ends.before.empty() ? config_token("bos_token") : ends.before[0];
  vocabulary.eos_id = ends.after.empty() ? config_token("eos_token") : ends.after[0];
  vocabulary.padding_id = config_token("pad_token");
  if (std::max(vocabulary.bos_id, vocabulary.eos_id) >= vocab_size_) {
    return core::unsupported("{}: the post-processor adds a token without a row in the embedding",
                             kFile);
  }
  return {};
}

// Readers of GGUF know one case: in Phi-3's vocabulary every control token but three swallows the
// white space behind it.
void Exporter::note_lost_flags() {
  std::size_t swallowing = 0;
  bool as_phi3 = true;
  std::vector<std::string> lost;
  for (const AddedFlags& token : added_) {
    if (token.id >= vocab_size_) continue;
    swallowing += token.rstrip ? 1 : 0;
    as_phi3 &= token.rstrip != special_keeps_space(token.content) || !tokenizer_.is_special(token.id);
    if (token.lstrip || token.rstrip || token.single_word) lost.push_back(token.content);
  }
  out_.strips_after_special = as_phi3 && swallowing > 0;
  out_.vocabulary.name = name_that_strips({}, out_.strips_after_special);
  if (lost.empty() || (out_.strips_after_special && lost.size() == swallowing)) return;
  warn(
      fmt::format("{}: GGUF has no place for lstrip, rstrip and single_word of {} added tokens "
                  "({}{})",
                  kFile, lost.size(), core::quote(lost.front()), lost.size() > 1 ? ", ..." : ""));
}

}  // namespace

Result<GgufExport> export_gguf_vocabulary(std::string_view tokenizer_json,
                                          std::string_view tokenizer_config_json,
                                          const GgufExportOptions& options) {
  // Reading it as a tokenizer checks everything that is taken for granted above.
  LLM_ASSIGN_OR_RETURN(const auto tokenizer,
                       tokenizer_from_json(tokenizer_json, tokenizer_config_json));
  LLM_ASSIGN_OR_RETURN(const Json document, core::parse_json(tokenizer_json, kFile));
  Json config;
  if (!tokenizer_config_json.empty()) {
    LLM_ASSIGN_OR_RETURN(config, core::parse_json(tokenizer_config_json, "tokenizer_config.json"));
  }
  LLM_ASSIGN_OR_RETURN(GgufExport result, Exporter(document, config, *tokenizer, options).run());
  const auto readable = tokenizer_from_gguf(result.vocabulary);
  if (!readable) return readable.error().with_prefix(kFile);
  return result;
}

}  // namespace llm::tokenizer
