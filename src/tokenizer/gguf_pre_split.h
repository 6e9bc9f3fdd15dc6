// The pre-splits that GGUF files name in tokenizer.ggml.pre: the file holds the name only, so the
// regular expressions live here. A static table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/function_ref.h"

namespace llm::tokenizer {

struct GgufPreSplit {
  std::vector<std::string_view> expressions;  ///< each cuts the words of the one before
  bool ignore_merges = false;                 ///< a word that is a token needs no merges
  bool add_bos = false;                       ///< where the file does not say
  bool nfc = false;                           ///< text is brought into Normalisation Form C first
};

/// Null for an unknown name.
const GgufPreSplit* find_gguf_pre_split(std::string_view name);

/// The name for a file that has none, because it is older than the key: from the architecture, and
/// from tokens that only one family has. Empty when neither tells. `find_token` gives the id of a
/// token, or -1.
std::string_view infer_gguf_pre_split(std::string_view architecture, std::size_t vocab_size,
                                      core::FunctionRef<std::int32_t(std::string_view)> find_token);

}  // namespace llm::tokenizer
