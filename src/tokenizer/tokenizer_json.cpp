#include <algorithm>
#include <limits>
#include <optional>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe_model.h"
#include "tokenizer/decoder.h"
#include "tokenizer/json_node.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

constexpr std::string_view kFile = "tokenizer.json";
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 30;
// How much a normaliser may add to a text.
constexpr std::size_t kMaxGrowth = 64;
constexpr std::size_t kMaxGrowthOfShortText = 1 << 20;

class JsonTokenizer : public Tokenizer {
 public:
  static Result<std::unique_ptr<Tokenizer>> build(const core::Json& document,
                                                  const core::Json& config);

  Result<std::vector<std::int32_t>> encode(std::string_view text,
                                           EncodeOptions options) const override;
  Result<std::string> decode(std::span<const std::int32_t> ids, bool skip_special) const override;
  std::string token_bytes(std::int32_t id) const override;
  std::string_view token_text(std::int32_t id) const override;
  std::optional<std::int32_t> token_id(std::string_view token_text) const override;
  bool is_special(std::int32_t id) const override { return special_[static_cast<std::size_t>(id)]; }
  std::int32_t vocab_size() const override { return static_cast<std::int32_t>(special_.size()); }
  bool strips_leading_space() const override { return decoder_.strips_leading_space(); }
  std::unique_ptr<DecodeStream> decode_stream(bool skip_special,
                                              bool continues_text) const override;

 private:
  class Stream;

  Status parse_model(const JsonNode& node);
  Status parse_added_tokens(const JsonNode& document, const JsonNode& config);
  Status parse_post_processor(const JsonNode& document, const JsonNode& config);
  Result<std::optional<std::int32_t>> config_token(const JsonNode& config,
                                                   std::string_view name) const;

  // Buffers of one encode call.
  struct Work {
    MatchBuffer matches;
    Words plain;
    WordEncoder::Scratch words;
    std::vector<std::int32_t> ids;
  };
  Status encode_text(std::string_view text, bool from_start, bool parse_special, Work& work) const;
  Status encode_plain(std::string_view text, bool from_start, Work& work) const;

  // What the decoder sees of a token; empty for a hole in the vocabulary.
  std::string_view decoder_text(std::int32_t id) const;
  bool exists(std::int32_t id) const {
    return vocabulary_.contains(id) || added_.by_id().contains(id);
  }
  bool is_added(std::int32_t id) const { return is_added_[static_cast<std::size_t>(id)]; }

  TokenTable vocabulary_;  // of the model, without the added tokens
  std::unique_ptr<Normalizer> normalizer_;
  PreTokenizer pre_tokenizer_;
  std::unique_ptr<BpeModel> model_;
  AddedTokens added_;
  PostProcessor post_processor_;
  DecoderChain decoder_;
  std::vector<bool> special_, is_added_;  // by id, vocab_size() many
};

class JsonTokenizer::Stream : public DecodeStream {
 public:
  Stream(const JsonTokenizer& tokenizer, bool skip_special, bool continues_text)
      : tokenizer_(tokenizer),
        skip_special_(skip_special),
        run_(tokenizer.decoder_, continues_text) {}

  void push(std::int32_t id, std::string& out) override {
    if (skip_special_ && tokenizer_.is_special(id)) return;
    if (tokenizer_.is_added(id) || tokenizer_.vocabulary_.contains(id)) {
      run_.push(tokenizer_.decoder_text(id), out);
    }
  }
  void finish(std::string& out) override { run_.finish(out); }
  bool holding() const override { return run_.holding(); }

 private:
  const JsonTokenizer& tokenizer_;
  bool skip_special_;
  DecoderChain::Run run_;
};

Result<std::vector<BpeModel::MergeTexts>> parse_merges(const JsonNode& model) {
  const JsonNode node = model.member("merges");
  if (!node.value().is_array()) return node.corrupt("expected an array");
  std::vector<BpeModel::MergeTexts> merges;
  merges.reserve(node.value().size());
  std::size_t index = 0;
  for (const core::Json& item : node.value()) {
    const auto broken = [&] {
      return node.corrupt(
          fmt::format("item {}: expected \"left right\" or [\"left\", \"right\"]", index));
    };
    if (item.is_string()) {
      const std::string_view line = item.get_ref<const std::string&>();
      const std::size_t space = line.find(' ');
      if (!line.starts_with("#version")) {
        if (space == std::string_view::npos ||
            line.find(' ', space + 1) != std::string_view::npos) {
          return broken();
        }
        merges.emplace_back(line.substr(0, space), line.substr(space + 1));
      }
    } else if (item.is_array() && item.size() == 2 && item[0].is_string() && item[1].is_string()) {
      merges.emplace_back(item[0].get_ref<const std::string&>(),
                          item[1].get_ref<const std::string&>());
    } else {
      return broken();
    }
    ++index;
  }
  return merges;
}

// An option that changes what tokens mean, and that no supported model uses.
Status expect_absent(const JsonNode& model, std::string_view key) {
  const JsonNode node = model.member(key);
  if (node.is_null() || (node.value().is_string() && node.value().empty()) ||
      (node.value().is_string() && node.value().get_ref<const std::string&>().empty()) ||
      (node.value().is_number() && node.value().get<double>() == 0.0)) {
    return Status();
  }
  return node.unsupported("not supported");
}

Status JsonTokenizer::parse_model(const JsonNode& node) {
  LLM_RETURN_IF_ERROR(node.expect_keys({"type", "dropout", "unk_token", "continuing_subword_prefix",
                                        "end_of_word_suffix", "fuse_unk", "byte_fallback",
                                        "ignore_merges", "vocab", "merges"}));
  // Early files have no type; their merges tell them from the other models.
  if (node.has("type") || !node.has("merges")) {
    LLM_ASSIGN_OR_RETURN(const std::string type, node.type());
    if (type != "BPE")
      return node.unsupported(fmt::format("unsupported type {}", core::quote(type)));
  }
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    LLM_RETURN_IF_ERROR(expect_absent(node, key));
  }
  BpeOptions options;
  options.byte_words = pre_tokenizer_.byte_words();
  LLM_ASSIGN_OR_RETURN(options.ignore_merges, node.boolean_or("ignore_merges", false));
  LLM_ASSIGN_OR_RETURN(options.byte_fallback, node.boolean_or("byte_fallback", false));
  LLM_ASSIGN_OR_RETURN(options.fuse_unknown, node.boolean_or("fuse_unk", false));
  if (!node.member("unk_token").is_null()) {
    LLM_ASSIGN_OR_RETURN(options.unknown_token, node.string("unk_token"));
  }

  const JsonNode vocab = node.member("vocab");
  if (!vocab.value().is_object()) return vocab.corrupt("expected an object");
  std::vector<TokenTable::Entry> entries;
  entries.reserve(vocab.value().size());
  for (const auto& item : vocab.value().get_ref<const core::Json::object_t&>()) {
    const core::Json& id = item.second;
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > INT32_MAX) {
      return vocab.corrupt(fmt::format("token {} has no valid id", core::quote(item.first)));
    }
    entries.push_back({item.first, id.get<std::int32_t>()});
  }
  LLM_ASSIGN_OR_RETURN(vocabulary_, TokenTable::build(entries, vocab.path()));
  LLM_ASSIGN_OR_RETURN(const std::vector<BpeModel::MergeTexts> merges, parse_merges(node));
  LLM_ASSIGN_OR_RETURN(model_,
                       BpeModel::build(vocabulary_, merges, std::move(options), node.path()));
  return Status();
}

Result<AddedToken> parse_added_token(const JsonNode& node, bool has_id) {
  if (has_id) {
    LLM_RETURN_IF_ERROR(node.expect_keys(
        {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"}));
  }
  AddedToken token;
  if (has_id) {
    LLM_ASSIGN_OR_RETURN(token.id, node.integer("id"));
  }
  LLM_ASSIGN_OR_RETURN(token.content, node.string("content"));
  LLM_ASSIGN_OR_RETURN(token.single_word, node.boolean_or("single_word", false));
  LLM_ASSIGN_OR_RETURN(token.lstrip, node.boolean_or("lstrip", false));
  LLM_ASSIGN_OR_RETURN(token.rstrip, node.boolean_or("rstrip", false));
  LLM_ASSIGN_OR_RETURN(token.special, node.boolean_or("special", false));
  LLM_ASSIGN_OR_RETURN(token.normalized, node.boolean_or("normalized", !token.special));
  return token;
}

Status JsonTokenizer::parse_added_tokens(const JsonNode& document, const JsonNode& config) {
  std::vector<std::pair<AddedToken, std::string>> tokens;  // with their places
  if (!document.member("added_tokens").is_null()) {
    LLM_ASSIGN_OR_RETURN(const std::vector<JsonNode> items, document.items("added_tokens"));
    for (const JsonNode& item : items) {
      LLM_ASSIGN_OR_RETURN(AddedToken token, parse_added_token(item, true));
      tokens.emplace_back(std::move(token), item.path());
    }
  }
  const JsonNode more = config.member("added_tokens_decoder");
  if (more.value().is_object()) {
    for (const auto& [key, value] : more.value().items()) {
      const JsonNode node(value, fmt::format("{}.{}", more.path(), key));
      LLM_ASSIGN_OR_RETURN(AddedToken token, parse_added_token(node, false));
      const bool digits =
          !key.empty() && key.size() <= 7 &&
          std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (!digits) return node.corrupt("expected a token id as the key");
      token.id = std::stoi(key);
      tokens.emplace_back(std::move(token), node.path());
    }
  }

  std::vector<AddedToken> distinct;
  std::map<std::string_view, std::size_t> by_content;
  std::map<std::int32_t, std::size_t> by_id;
  for (const auto& [token, path] : tokens) {
    if (token.content.empty()) continue;
    if (token.id >= kMaxVocabulary) {
      return core::corrupt_data("{}: id {} is too large", path, token.id);
    }
    const auto conflict = [&, &token = token, &path = path](std::string_view other,
                                                            std::int32_t id) {
      return core::corrupt_data("{}: {} has id {}, but {} has id {}", path,
                                core::quote(token.content), token.id, core::quote(other), id);
    };
    const std::int32_t in_model = vocabulary_.find(token.content);
    if (in_model >= 0 && in_model != token.id) return conflict(token.content, in_model);
    if (in_model < 0 && vocabulary_.contains(token.id)) {
      return conflict(vocabulary_.text(token.id), token.id);
    }
    if (const auto same = by_content.find(token.content); same != by_content.end()) {
      AddedToken& first = distinct[same->second];
      if (first.id != token.id) return conflict(token.content, first.id);
      first = token;
      continue;
    }
    if (const auto other = by_id.find(token.id); other != by_id.end()) {
      return conflict(distinct[other->second].content, token.id);
    }
    by_content.emplace(token.content, distinct.size());
    by_id.emplace(token.id, distinct.size());
    distinct.push_back(token);
  }

  std::int32_t size = vocabulary_.size();
  for (const AddedToken& token : distinct) size = std::max(size, token.id + 1);
  auto added = AddedTokens::build(std::move(distinct), normalizer_.get());
  if (!added.has_value()) return added.error().with_prefix(document.member("added_tokens").path());
  added_ = std::move(added).value();
  special_.assign(static_cast<std::size_t>(size), false);
  is_added_ = special_;
  for (const auto& [id, token] : added_.by_id()) {
    is_added_[static_cast<std::size_t>(id)] = true;
    special_[static_cast<std::size_t>(id)] = token.special;
  }
  return Status();
}

// The id of e.g. "bos_token", which is a text or an object with "content".
Result<std::optional<std::int32_t>> JsonTokenizer::config_token(const JsonNode& config,
                                                                std::string_view name) const {
  JsonNode node = config.member(name);
  if (node.value().is_object()) node = node.member("content");
  if (node.is_null()) return std::optional<std::int32_t>();
  if (!node.value().is_string()) return node.corrupt("expected a token");
  const std::optional<std::int32_t> id = token_id(node.value().get_ref<const std::string&>());
  if (!id) return node.corrupt("this token is not in the vocabulary");
  return id;
}

Status JsonTokenizer::parse_post_processor(const JsonNode& document, const JsonNode& config) {
  const JsonNode node = document.member("post_processor");
  if (!node.is_null()) {
    LLM_ASSIGN_OR_RETURN(post_processor_, PostProcessor::parse(node));
  } else if (config.value().is_object()) {
    std::vector<std::int32_t> ids[2];
    constexpr std::string_view kNames[2][2] = {{"add_bos_token", "bos_token"},
                                               {"add_eos_token", "eos_token"}};
    for (std::size_t end = 0; end < 2; ++end) {
      LLM_ASSIGN_OR_RETURN(const bool add, config.boolean_or(kNames[end][0], false));
      if (!add) continue;
      LLM_ASSIGN_OR_RETURN(const auto id, config_token(config, kNames[end][1]));
      if (id) ids[end].push_back(*id);
    }
    post_processor_ = PostProcessor(std::move(ids[0]), std::move(ids[1]));
  }
  for (const std::int32_t id : post_processor_.special_ids()) {
    if (!exists(id)) return node.corrupt(fmt::format("there is no token with id {}", id));
  }
  return Status();
}

Result<std::unique_ptr<Tokenizer>> JsonTokenizer::build(const core::Json& document,
                                                        const core::Json& config) {
  const JsonNode root(document, std::string(kFile));
  const JsonNode config_root(config, "tokenizer_config.json");
  LLM_RETURN_IF_ERROR(
      root.expect_keys({"version", "truncation", "padding", "added_tokens", "normalizer",
                        "pre_tokenizer", "post_processor", "decoder", "model"}));
  if (root.has("version")) {
    LLM_ASSIGN_OR_RETURN(const std::string version, root.string("version"));
    if (version != "1.0") {
      return root.member("version").unsupported(
          fmt::format("unknown version {}", core::quote(version)));
    }
  }
  auto tokenizer = std::make_unique<JsonTokenizer>();
  LLM_ASSIGN_OR_RETURN(tokenizer->normalizer_, parse_normalizer(root.member("normalizer")));
  LLM_ASSIGN_OR_RETURN(tokenizer->pre_tokenizer_,
                       PreTokenizer::parse(root.member("pre_tokenizer")));
  LLM_RETURN_IF_ERROR(tokenizer->parse_model(root.member("model")));
  LLM_RETURN_IF_ERROR(tokenizer->parse_added_tokens(root, config_root));
  LLM_RETURN_IF_ERROR(tokenizer->parse_post_processor(root, config_root));
  LLM_ASSIGN_OR_RETURN(tokenizer->decoder_, DecoderChain::parse(root.member("decoder")));
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

// Text without added tokens, already normalised.
Status JsonTokenizer::encode_plain(std::string_view text, bool from_start, Work& work) const {
  Words& words = work.plain;
  words.text = text;
  words.from_start = from_start;
  LLM_RETURN_IF_ERROR(pre_tokenizer_.run(words, work.matches));
  for (const Words::Word word : words.words) {
    model_->encode(words.view(word), work.words, work.ids);
  }
  return Status();
}

// Text without tokens that are searched before normalisation.
Status JsonTokenizer::encode_text(std::string_view text, bool from_start, bool parse_special,
                                  Work& work) const {
  NormalizedText normalized{std::string(text), from_start,
                            kMaxGrowth * text.size() + kMaxGrowthOfShortText};
  if (normalizer_ != nullptr) {
    LLM_RETURN_IF_ERROR(normalizer_->apply(normalized, work.matches));
  }
  for (const auto& part : added_.cut_normalized(normalized.text, parse_special)) {
    if (part.id >= 0) {
      work.ids.push_back(part.id);
      continue;
    }
    LLM_RETURN_IF_ERROR(
        encode_plain(std::string_view(normalized.text).substr(part.begin, part.end - part.begin),
                     normalized.keeps_start && part.begin == 0, work));
  }
  return Status();
}

Result<std::vector<std::int32_t>> JsonTokenizer::encode(std::string_view text,
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
  Work work;
  work.ids.reserve(text.size() / 4 + 8);
  for (const auto& part : added_.cut(text, options.parse_special)) {
    if (part.id >= 0) {
      work.ids.push_back(part.id);
      continue;
    }
    LLM_RETURN_IF_ERROR(encode_text(text.substr(part.begin, part.end - part.begin), part.begin == 0,
                                    options.parse_special, work));
  }
  return post_processor_.apply(std::move(work.ids), options.add_special);
}

Result<std::string> JsonTokenizer::decode(std::span<const std::int32_t> ids,
                                          bool skip_special) const {
  Stream stream(*this, skip_special, /*continues_text=*/false);
  std::string text;
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= vocab_size()) {
      return core::invalid_argument("token id {} is out of range: the vocabulary has {}", id,
                                    vocab_size());
    }
    stream.push(id, text);
  }
  stream.finish(text);
  return text;
}

std::string_view JsonTokenizer::decoder_text(std::int32_t id) const {
  if (is_added(id)) return *added_.decoder_text(id);
  return vocabulary_.contains(id) ? vocabulary_.text(id) : std::string_view();
}

std::string JsonTokenizer::token_bytes(std::int32_t id) const {
  return is_special(id) || !exists(id) ? "" : decoder_.token_bytes(decoder_text(id));
}

std::string_view JsonTokenizer::token_text(std::int32_t id) const {
  const auto added = added_.by_id().find(id);
  if (added != added_.by_id().end()) return added->second.content;
  return vocabulary_.contains(id) ? vocabulary_.text(id) : std::string_view();
}

std::optional<std::int32_t> JsonTokenizer::token_id(std::string_view token_text) const {
  if (const std::int32_t id = vocabulary_.find(token_text); id >= 0) return id;
  for (const auto& [id, token] : added_.by_id()) {
    if (token.content == token_text) return id;
  }
  return std::nullopt;
}

std::unique_ptr<DecodeStream> JsonTokenizer::decode_stream(bool skip_special,
                                                           bool continues_text) const {
  return std::make_unique<Stream>(*this, skip_special, continues_text);
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> tokenizer_from_json(std::string_view tokenizer_json,
                                                       std::string_view tokenizer_config_json) {
  LLM_ASSIGN_OR_RETURN(const core::Json document, core::parse_json(tokenizer_json, kFile));
  core::Json config;
  if (!tokenizer_config_json.empty()) {
    LLM_ASSIGN_OR_RETURN(config, core::parse_json(tokenizer_config_json, "tokenizer_config.json"));
    if (!config.is_object()) {
      return core::corrupt_data("tokenizer_config.json: expected an object, found {}",
                                config.type_name());
    }
  }
  return JsonTokenizer::build(document, config);
}

}  // namespace llm::tokenizer
