// Tokenizing with the tokenizer of a model on disk, without its weights.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llm/status.h"

namespace llm::engine {

/// Token ids of `text`. `add_special`: with BOS and the like.
Result<std::vector<std::int32_t>> tokenize_with(const std::string& model_path,
                                                std::string_view text, bool add_special);

/// Text of `ids`. `strip_special`: without the tokens that encoding adds at the ends; every other
/// control token appears as its text, so that this inverts tokenize_with() exactly.
Result<std::string> detokenize_with(const std::string& model_path,
                                    std::span<const std::int32_t> ids, bool strip_special);

}  // namespace llm::engine
