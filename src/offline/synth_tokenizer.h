// The tokenizer of synthetic models: one token per byte, a begin and an end token, and unused
// tokens up to the size of the vocabulary. As tokenizer.json and as GGUF metadata.
#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"
#include "formats/gguf_metadata.h"

namespace llm::offline {

inline constexpr std::int32_t kSynthBos = 256;
inline constexpr std::int32_t kSynthEos = 257;
inline constexpr std::int64_t kSynthSmallestVocabulary = 258;

core::Json synth_tokenizer_json(std::int64_t vocab_size);
core::Json synth_tokenizer_config_json();
void add_synth_tokenizer(std::int64_t vocab_size, formats::GgufMetadata& metadata);

}  // namespace llm::offline
