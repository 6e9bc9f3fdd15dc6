// The tokenizer of a safetensors directory as GGUF metadata: vocabulary, special tokens, chat
// templates.
#pragma once

#include <string>
#include <vector>

#include "formats/gguf_metadata.h"
#include "formats/model_file.h"
#include "llm/status.h"

namespace llm::offline {

/// Adds tokenizer.* and general.name to `metadata`, and what is lost to `warnings`. A directory
/// without tokenizer.json gives a file without a vocabulary. Errors: a tokenizer that is broken or
/// that GGUF cannot express.
Status add_gguf_tokenizer(const formats::ModelFile& file, std::int64_t vocab_size,
                          formats::GgufMetadata& metadata, std::vector<std::string>& warnings);

}  // namespace llm::offline
