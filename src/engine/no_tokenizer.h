// What stands in for the tokenizer of a model directory that has none. Such a model still computes:
// prompts can be given as token ids, and logits asked for. Text is refused with the error that tells
// what is missing; generated tokens have no text.
#pragma once

#include <memory>

#include "formats/model_file.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

/// The tokenizer of the model, or a NoTokenizer (noted in the log) when its directory has none. A
/// tokenizer that is there but broken is an error.
Result<std::unique_ptr<tokenizer::Tokenizer>> tokenizer_or_none(const formats::ModelFile& file);

}  // namespace llm::engine
