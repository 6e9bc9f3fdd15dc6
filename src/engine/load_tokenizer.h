// The tokenizer of a model: tokenizer.json (with tokenizer_config.json) beside safetensors files,
// or the tokenizer.ggml.* metadata of a GGUF file.
#pragma once

#include <filesystem>
#include <memory>

#include "formats/model_file.h"
#include "llm/status.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

/// Errors name the file and the part of it that is missing, broken or not supported.
Result<std::unique_ptr<tokenizer::Tokenizer>> load_tokenizer(const formats::ModelFile& file);
/// The same for a path as ModelFile::open takes it, or for a directory that holds the tokenizer's
/// files alone.
Result<std::unique_ptr<tokenizer::Tokenizer>> load_tokenizer(const std::filesystem::path& path);

}  // namespace llm::engine
