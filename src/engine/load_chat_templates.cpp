#include "engine/load_chat_templates.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "core/mapped_file.h"

namespace llm::engine {
namespace {

using chat::SpecialTokens;
using chat::TemplateSource;
using Sources = std::vector<TemplateSource>;

constexpr std::size_t kMaxBytes = std::size_t{16} << 20;

// The names that transformers gives to templates, and GGUF's keys of the same tokens.
constexpr std::pair<const char*, const char*> kSpecialTokens[] = {
    {"bos_token", "tokenizer.ggml.bos_token_id"},
    {"eos_token", "tokenizer.ggml.eos_token_id"},
    {"unk_token", "tokenizer.ggml.unknown_token_id"},
    {"sep_token", "tokenizer.ggml.seperator_token_id"},  // spelled like this in files
    {"pad_token", "tokenizer.ggml.padding_token_id"},
    {"cls_token", "tokenizer.ggml.cls_token_id"},
    {"mask_token", "tokenizer.ggml.mask_token_id"},
};

// Adds a template unless one of that name is there from a place that goes before.
void add_source(Sources& sources, TemplateSource source) {
  const bool known = std::any_of(sources.begin(), sources.end(), [&](const TemplateSource& other) {
    return other.name == source.name;
  });
  if (!known) sources.push_back(std::move(source));
}

Result<std::string> read_if_there(const std::filesystem::path& path) {
  auto text = core::read_text_file(path, kMaxBytes);
  if (!text && text.error().code() == StatusCode::not_found) return std::string();
  return text;
}

// An object; empty when there is no such file.
Result<core::Json> object_if_there(const std::filesystem::path& path) {
  LLM_ASSIGN_OR_RETURN(const std::string text, read_if_there(path));
  if (text.empty()) return core::Json::object();
  LLM_ASSIGN_OR_RETURN(core::Json json, core::parse_json(text, path.string()));
  if (!json.is_object()) return core::corrupt_data("{}: expected an object", path.string());
  return json;
}

// The member "chat_template" of a file: one text, or a list of {"name", "template"}.
Status add_from_json(const core::Json& settings, const std::filesystem::path& path,
                     Sources& sources) {
  const auto found = settings.find("chat_template");
  if (found == settings.end() || found->is_null()) return {};
  const std::string place = path.string() + ": chat_template";
  if (found->is_string()) {
    add_source(sources, {.name = "default", .place = place, .text = found->get<std::string>()});
    return {};
  }
  if (!found->is_array()) return core::corrupt_data("{}: expected a string or a list", place);
  for (const core::Json& entry : *found) {
    const bool complete = entry.is_object() && entry.contains("name") &&
                          entry["name"].is_string() && entry.contains("template") &&
                          entry["template"].is_string();
    if (!complete) {
      return core::corrupt_data("{}: expected a list of objects with a name and a template", place);
    }
    const std::string name = entry["name"].get<std::string>();
    add_source(sources, {.name = name,
                         .place = place + " \"" + name + "\"",
                         .text = entry["template"].get<std::string>()});
  }
  return {};
}

// additional_chat_templates/<name>.jinja
Status add_additional(const std::filesystem::path& directory, Sources& sources) {
  std::error_code failed;
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator(directory, failed)) {
    if (file.path().extension() == ".jinja") paths.push_back(file.path());
  }
  if (failed) return {};  // there is no such folder
  std::sort(paths.begin(), paths.end());
  for (const std::filesystem::path& path : paths) {
    LLM_ASSIGN_OR_RETURN(std::string text, core::read_text_file(path, kMaxBytes));
    add_source(sources,
               {.name = path.stem().string(), .place = path.string(), .text = std::move(text)});
  }
  return {};
}

// A special token is written as its text, or as an object with the text under "content".
std::string token_text(const core::Json& settings, const char* key) {
  const auto found = settings.find(key);
  if (found == settings.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object() && found->contains("content") && (*found)["content"].is_string()) {
    return (*found)["content"].get<std::string>();
  }
  return {};
}

Result<chat::ChatTemplates> load_from_directory(const std::filesystem::path& directory) {
  Sources sources;
  const std::filesystem::path separate = directory / "chat_template.jinja";
  LLM_ASSIGN_OR_RETURN(std::string text, read_if_there(separate));
  if (!text.empty()) {
    add_source(sources, {.name = "default", .place = separate.string(), .text = std::move(text)});
  }
  LLM_RETURN_IF_ERROR(add_additional(directory / "additional_chat_templates", sources));
  const std::filesystem::path config_path = directory / "tokenizer_config.json";
  LLM_ASSIGN_OR_RETURN(const core::Json config, object_if_there(config_path));
  LLM_RETURN_IF_ERROR(add_from_json(config, config_path, sources));
  if (sources.empty()) {
    const std::filesystem::path legacy = directory / "chat_template.json";
    LLM_ASSIGN_OR_RETURN(const core::Json json, object_if_there(legacy));
    LLM_RETURN_IF_ERROR(add_from_json(json, legacy, sources));
  }
  if (sources.empty()) return chat::ChatTemplates();

  LLM_ASSIGN_OR_RETURN(const core::Json map,
                       object_if_there(directory / "special_tokens_map.json"));
  SpecialTokens tokens;
  for (const auto& [name, key] : kSpecialTokens) {
    std::string spelled = token_text(config, name);
    if (spelled.empty() && !config.contains(name)) spelled = token_text(map, name);
    if (!spelled.empty()) tokens.emplace_back(name, std::move(spelled));
  }
  return chat::ChatTemplates(sources, tokens);
}

Result<chat::ChatTemplates> load_from_gguf(const formats::GgufMetadata& metadata,
                                           const std::string& path) {
  constexpr std::string_view kKey = "tokenizer.chat_template";
  Sources sources;
  for (const auto& [key, value] : metadata.values()) {
    const bool is_default = key == kKey;
    if (!is_default && !key.starts_with(std::string(kKey) + ".")) continue;
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return core::corrupt_data("{}: {}: expected a string", path, key);
    const std::string name = is_default ? "default" : key.substr(kKey.size() + 1);
    add_source(sources, {.name = name, .place = path + ": " + key, .text = *text});
  }
  if (sources.empty()) return chat::ChatTemplates();
  LLM_ASSIGN_OR_RETURN(const auto* texts, metadata.get_strings("tokenizer.ggml.tokens"));
  SpecialTokens tokens;
  for (const auto& [name, key] : kSpecialTokens) {
    LLM_ASSIGN_OR_RETURN(const auto id, metadata.get_int(key));
    if (!id || texts == nullptr || *id < 0 || *id >= static_cast<std::int64_t>(texts->size())) {
      continue;
    }
    tokens.emplace_back(name, (*texts)[static_cast<std::size_t>(*id)]);
  }
  return chat::ChatTemplates(sources, tokens);
}

}  // namespace

Result<chat::ChatTemplates> load_chat_templates(const formats::ModelFile& file) {
  if (file.format() == formats::FileFormat::gguf) {
    return load_from_gguf(file.gguf(), file.path().string());
  }
  return load_from_directory(file.directory());
}

Result<chat::ChatTemplates> load_chat_templates(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return load_from_directory(path);
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile file, formats::ModelFile::open(path));
  return load_chat_templates(file);
}

}  // namespace llm::engine
