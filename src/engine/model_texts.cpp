#include "engine/model_texts.h"

#include "core/error.h"

namespace llm::engine {
namespace {

// A special token is written as its text, or as an object with the text under "content".
std::string special_text(const core::Json& settings, const char* key) {
  const auto found = settings.find(key);
  if (found == settings.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_object() && found->contains("content") && (*found)["content"].is_string()) {
    return (*found)["content"].get<std::string>();
  }
  return {};
}

// "chat_template" is one text, or a list of {"name", "template"}: the one named "default" counts.
Result<std::string> template_text(const core::Json& settings, const std::string& where) {
  const auto found = settings.find("chat_template");
  if (found == settings.end() || found->is_null()) return std::string();
  if (found->is_string()) return found->get<std::string>();
  if (found->is_array()) {
    for (const core::Json& entry : *found) {
      if (entry.is_object() && entry.value("name", "") == "default" && entry.contains("template") &&
          entry["template"].is_string()) {
        return entry["template"].get<std::string>();
      }
    }
    return std::string();
  }
  return core::corrupt_data("{}: chat_template: expected a string or a list", where);
}

Result<ModelTexts> texts_from_gguf(const formats::ModelFile& file,
                                   const tokenizer::Tokenizer& tokenizer) {
  ModelTexts texts;
  const std::string where = file.path().string();
  const auto chat = file.gguf().get_string("tokenizer.chat_template");
  if (!chat) return chat.error().with_prefix(where);
  texts.chat_template = chat->value_or("");
  const auto spelled = [&](const char* key) -> Result<std::string> {
    const auto id = file.gguf().get_int(key);
    if (!id) return id.error().with_prefix(where);
    if (!*id || **id < 0 || **id >= tokenizer.vocab_size()) return std::string();
    return std::string(tokenizer.token_text(static_cast<std::int32_t>(**id)));
  };
  LLM_ASSIGN_OR_RETURN(texts.bos, spelled("tokenizer.ggml.bos_token_id"));
  LLM_ASSIGN_OR_RETURN(texts.eos, spelled("tokenizer.ggml.eos_token_id"));
  return texts;
}

}  // namespace

Result<ModelTexts> find_model_texts(const formats::ModelFile& file,
                                    const tokenizer::Tokenizer& tokenizer) {
  if (file.format() == formats::FileFormat::gguf) return texts_from_gguf(file, tokenizer);
  ModelTexts texts;
  LLM_ASSIGN_OR_RETURN(const core::Json settings, file.companion_json("tokenizer_config.json"));
  if (settings.is_object()) {
    const std::string where = (file.directory() / "tokenizer_config.json").string();
    texts.bos = special_text(settings, "bos_token");
    texts.eos = special_text(settings, "eos_token");
    LLM_ASSIGN_OR_RETURN(texts.chat_template, template_text(settings, where));
  }
  LLM_ASSIGN_OR_RETURN(std::string separate, file.companion_text("chat_template.jinja"));
  if (!separate.empty()) texts.chat_template = std::move(separate);
  return texts;
}

}  // namespace llm::engine
