// The tokenizer of a model: tokenizer.json (with tokenizer_config.json) beside safetensors files,
// or the tokenizer.ggml.* metadata of a GGUF file.
#pragma once

#include <memory>

#include "formats/model_file.h"
#include "llm/status.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

/// Errors name the file and the part of it that is missing, broken or not supported.
Result<std::unique_ptr<tokenizer::Tokenizer>> load_tokenizer(const formats::ModelFile& file);

}  // namespace llm::engine
