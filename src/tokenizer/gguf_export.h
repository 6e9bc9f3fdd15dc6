// From tokenizer.json to the vocabulary that a GGUF file carries. GGUF names its pre-tokenizer and
// has no normaliser, post-processor or decoder; a pipeline that it cannot express is an error, one
// that other GGUF files approximate as well is a warning.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "llm/status.h"
#include "tokenizer/tokenizer.h"

namespace llm::tokenizer {

struct GgufExportOptions {
  /// Rows of the model's embedding; holes and what lies beyond the tokenizer's own ids become
  /// unused tokens.
  std::int32_t vocab_size = 0;
  /// The tokenizer was made from a SentencePiece model, which merges by scores: merges that no
  /// scores stand for are noted in a warning then, and an error otherwise.
  bool sentencepiece = false;
};

struct GgufExport {
  GgufVocabulary vocabulary;
  /// Control tokens swallow the white space behind them, which the model's name has to say:
  /// name_that_strips().
  bool strips_after_special = false;
  std::vector<std::string> warnings;
};

/// `tokenizer_config_json` may be empty. The ids of end tokens other than what the post-processor
/// appends are for the caller to find.
Result<GgufExport> export_gguf_vocabulary(std::string_view tokenizer_json,
                                          std::string_view tokenizer_config_json,
                                          const GgufExportOptions& options);

}  // namespace llm::tokenizer
