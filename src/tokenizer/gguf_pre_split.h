// The pre-splits that GGUF files name in tokenizer.ggml.pre: the file holds the name only, so the
// regular expressions live here. A static table.
#pragma once

#include <string_view>
#include <vector>

namespace llm::tokenizer {

struct GgufPreSplit {
  std::vector<std::string_view> expressions;  ///< each cuts the words of the one before
  bool ignore_merges = false;                 ///< a word that is a token needs no merges
  bool add_bos = false;                       ///< where the file does not say
};

/// Null for an unknown name.
const GgufPreSplit* find_gguf_pre_split(std::string_view name);

}  // namespace llm::tokenizer
