// The chat templates of a model and the texts of its special tokens. Of a Hugging Face directory,
// as transformers looks for them: chat_template.jinja and additional_chat_templates/*.jinja, then
// "chat_template" of tokenizer_config.json (a text, or a list of {"name", "template"}), then
// chat_template.json. Of GGUF: tokenizer.chat_template, tokenizer.chat_template.<name>.
#pragma once

#include <filesystem>

#include "chat/chat_templates.h"
#include "formats/model_file.h"
#include "llm/status.h"

namespace llm::engine {

/// None at all is not an error, nor is a template that cannot be parsed (see ChatTemplates); a file
/// that is broken or holds something else is.
Result<chat::ChatTemplates> load_chat_templates(const formats::ModelFile& file);
/// The same for a path as ModelFile::open takes it, or for a directory that holds the tokenizer's
/// files alone.
Result<chat::ChatTemplates> load_chat_templates(const std::filesystem::path& path);

}  // namespace llm::engine
