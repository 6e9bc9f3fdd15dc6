#include "offline/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/gguf_export.h"
#include "tokenizer/gguf_model_name.h"

namespace llm::offline {
namespace {

using core::Json;
using formats::GgufArray;
using tokenizer::GgufVocabulary;

// Tokens that every reader of GGUF knows to end a text or a turn, by their spelling. The first ones
// are written by assistants at the end of their turn.
constexpr std::array<std::string_view, 9> kTurnEnds = {
    "<|eot_id|>",      "<|im_end|>",         "<|end|>", "<end_of_turn>", "<|endoftext|>", "<EOT>",
    "<|end_of_text|>", "<end_of_utterance>", "_<EOT>"};
constexpr std::string_view kMessageEnd = "<|eom_id|>";

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// The ids under `key`, an integer or a list of them; what is neither is left to the model's loader
/// to complain about.
void add_ids(const Json& object, const char* key, std::vector<std::int64_t>& ids) {
  if (!object.is_object()) return;
  const auto found = object.find(key);
  if (found == object.end()) return;
  const Json list = found->is_array() ? *found : Json::array({*found});
  for (const Json& id : list) {
    if (id.is_number_integer()) ids.push_back(id.get<std::int64_t>());
  }
}

struct Companions {
  std::string tokenizer, tokenizer_config;
  Json settings;  ///< tokenizer_config.json
  Json generation;
};

Result<Companions> read_companions(const formats::ModelFile& file) {
  Companions found;
  LLM_ASSIGN_OR_RETURN(found.tokenizer, file.companion_text("tokenizer.json"));
  LLM_ASSIGN_OR_RETURN(found.tokenizer_config, file.companion_text("tokenizer_config.json"));
  LLM_ASSIGN_OR_RETURN(found.settings, file.companion_json("tokenizer_config.json"));
  LLM_ASSIGN_OR_RETURN(found.generation, file.companion_json("generation_config.json"));
  return found;
}

class TokenizerWriter {
 public:
  TokenizerWriter(const formats::ModelFile& file, const Companions& companions,
                  const GgufVocabulary& vocabulary, formats::GgufMetadata& metadata,
                  std::vector<std::string>& warnings)
      : file_(file),
        companions_(companions),
        vocabulary_(vocabulary),
        metadata_(metadata),
        warnings_(warnings) {}

  void add_vocabulary();
  void add_special_ids();
  Status add_chat_templates();

 private:
  void set_id(const char* name, std::int64_t id) {
    if (id >= 0 && id < size()) metadata_.set(fmt::format("tokenizer.ggml.{}_token_id", name), id);
  }
  std::int64_t size() const { return static_cast<std::int64_t>(vocabulary_.tokens.size()); }
  std::int64_t id_of(std::string_view text) const {
    const auto found = std::find(vocabulary_.tokens.begin(), vocabulary_.tokens.end(), text);
    return found == vocabulary_.tokens.end() ? -1 : found - vocabulary_.tokens.begin();
  }
  std::vector<std::int64_t> end_ids() const;
  std::int64_t config_id(const char* key) const;

  const formats::ModelFile& file_;
  const Companions& companions_;
  const GgufVocabulary& vocabulary_;
  formats::GgufMetadata& metadata_;
  std::vector<std::string>& warnings_;
};

void TokenizerWriter::add_vocabulary() {
  const GgufVocabulary& from = vocabulary_;
  metadata_.set("tokenizer.ggml.model", from.model);
  metadata_.set("tokenizer.ggml.pre", from.pre);
  metadata_.set("tokenizer.ggml.tokens", GgufArray(from.tokens));
  metadata_.set(
      "tokenizer.ggml.token_type",
      GgufArray(std::vector<std::int64_t>(from.token_types.begin(), from.token_types.end())));
  if (!from.scores.empty()) {
    metadata_.set("tokenizer.ggml.scores",
                  GgufArray(std::vector<double>(from.scores.begin(), from.scores.end())));
  } else {
    metadata_.set("tokenizer.ggml.merges", GgufArray(from.merges));
  }
  if (from.add_bos) metadata_.set("tokenizer.ggml.add_bos_token", *from.add_bos);
  if (from.add_eos) metadata_.set("tokenizer.ggml.add_eos_token", *from.add_eos);
  if (from.add_space_prefix) {
    metadata_.set("tokenizer.ggml.add_space_prefix", *from.add_space_prefix);
  }
}

/// One id of config.json, or -1.
std::int64_t TokenizerWriter::config_id(const char* key) const {
  std::vector<std::int64_t> ids;
  add_ids(file_.config(), key, ids);
  return ids.empty() ? -1 : ids.front();
}

/// Every token that ends a generation, the usual one first, each once.
std::vector<std::int64_t> TokenizerWriter::end_ids() const {
  std::vector<std::int64_t> ids;
  if (vocabulary_.eos_id >= 0) ids.push_back(vocabulary_.eos_id);
  add_ids(file_.config(), "eos_token_id", ids);
  add_ids(companions_.generation, "eos_token_id", ids);
  std::vector<std::int64_t> distinct;
  for (const std::int64_t id : ids) {
    const bool known = std::find(distinct.begin(), distinct.end(), id) != distinct.end();
    if (!known && id >= 0 && id < size()) distinct.push_back(id);
  }
  return distinct;
}

// GGUF has three places for end tokens. Readers find those that are spelled as usual by themselves,
// so places go to the others first.
void TokenizerWriter::add_special_ids() {
  set_id("bos", vocabulary_.bos_id >= 0 ? vocabulary_.bos_id : config_id("bos_token_id"));
  set_id("unknown", vocabulary_.unknown_id);
  set_id("padding",
         vocabulary_.padding_id >= 0 ? vocabulary_.padding_id : config_id("pad_token_id"));
  std::vector<std::int64_t> ends = end_ids();
  if (!ends.empty()) {
    set_id("eos", ends.front());
    ends.erase(ends.begin());
  }
  std::vector<std::int64_t> unusual;
  for (const std::int64_t id : ends) {
    const std::string& text = vocabulary_.tokens[static_cast<std::size_t>(id)];
    if (!is_one_of(text, kTurnEnds) && text != kMessageEnd) unusual.push_back(id);
  }
  std::int64_t turn_end = -1;
  for (const std::string_view text : kTurnEnds) {
    if (turn_end < 0) turn_end = id_of(text);
  }
  const std::int64_t eot = unusual.empty() ? turn_end : unusual.front();
  const std::int64_t eom = unusual.size() > 1 ? unusual[1] : id_of(kMessageEnd);
  set_id("eot", eot);
  set_id("eom", eom);
  for (std::size_t rest = 2; rest < unusual.size(); ++rest) {
    warnings_.push_back(fmt::format("end token {}: GGUF has no place left for it", unusual[rest]));
  }
}

Status TokenizerWriter::add_chat_templates() {
  constexpr const char* kKey = "tokenizer.chat_template";
  LLM_ASSIGN_OR_RETURN(const std::string separate, file_.companion_text("chat_template.jinja"));
  if (!separate.empty()) {
    metadata_.set(kKey, separate);
    return {};
  }
  if (!companions_.settings.is_object()) return {};
  const auto found = companions_.settings.find("chat_template");
  if (found == companions_.settings.end()) return {};
  if (found->is_string()) metadata_.set(kKey, found->get<std::string>());
  if (!found->is_array()) return {};
  std::vector<std::string> names;
  for (const Json& entry : *found) {
    const bool usable = entry.is_object() && entry.contains("name") && entry["name"].is_string() &&
                        entry.contains("template") && entry["template"].is_string();
    if (!usable) continue;
    const std::string name = entry["name"];
    if (name == "default") {
      metadata_.set(kKey, entry["template"].get<std::string>());
    } else {
      names.push_back(name);
      metadata_.set(fmt::format("{}.{}", kKey, name), entry["template"].get<std::string>());
    }
  }
  if (!names.empty()) metadata_.set("tokenizer.chat_templates", GgufArray(std::move(names)));
  return {};
}

std::string model_name(const formats::ModelFile& file, bool strips_after_special) {
  std::error_code ignored;
  const std::filesystem::path path = std::filesystem::canonical(file.directory(), ignored);
  std::string name = core::printable(path.filename().string());
  if (name.empty()) name = "model";
  return tokenizer::name_that_strips(std::move(name), strips_after_special);
}

}  // namespace

Status add_gguf_tokenizer(const formats::ModelFile& file, std::int64_t vocab_size,
                          formats::GgufMetadata& metadata, std::vector<std::string>& warnings) {
  LLM_ASSIGN_OR_RETURN(const Companions companions, read_companions(file));
  if (companions.tokenizer.empty()) {
    warnings.emplace_back("there is no tokenizer.json: the file will have no vocabulary");
    metadata.set("general.name", model_name(file, false));
    metadata.set("tokenizer.ggml.model", "none");
    return {};
  }
  std::error_code ignored;
  auto exported = tokenizer::export_gguf_vocabulary(
      companions.tokenizer, companions.tokenizer_config,
      {.vocab_size = static_cast<std::int32_t>(vocab_size),
       .sentencepiece = std::filesystem::exists(file.directory() / "tokenizer.model", ignored)});
  if (!exported) return exported.error().with_prefix(file.directory().string());
  warnings.insert(warnings.end(), exported->warnings.begin(), exported->warnings.end());
  const GgufVocabulary& vocabulary = exported->vocabulary;
  metadata.set("general.name", model_name(file, exported->strips_after_special));
  TokenizerWriter writer(file, companions, vocabulary, metadata, warnings);
  writer.add_vocabulary();
  writer.add_special_ids();
  return writer.add_chat_templates();
}

}  // namespace llm::offline
