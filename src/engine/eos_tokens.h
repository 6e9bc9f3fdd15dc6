// Which tokens end a generation: the union of every source that names one. For a safetensors
// directory: generation_config.json, config.json and tokenizer_config.json; for GGUF the eos, eot
// and eom ids; for both, tokens whose text is a known end-of-turn marker.
#pragma once

#include "formats/model_file.h"
#include "llm/model_info.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

/// Errors: an id out of the vocabulary (`vocab_size` of the model), or of the wrong type.
Result<EosTokens> find_eos_tokens(const formats::ModelFile& file,
                                  const tokenizer::Tokenizer& tokenizer, std::int64_t vocab_size);

}  // namespace llm::engine
