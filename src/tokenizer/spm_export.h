// What GGUF says about a SentencePiece vocabulary in place of tokenizer.json's normaliser,
// pre-tokenizer and merges. The JSON is that of a file which was read as a tokenizer before.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "llm/status.h"

namespace llm::tokenizer {

struct MergeTexts {
  std::string left, right;
};

/// The merges of a BPE model, in order of rank, in either of their spellings.
std::vector<MergeTexts> merges_of(const core::Json& model);

struct SpmSpaces {
  bool prefix = false;     ///< a text begins with a space of its own
  std::string difference;  ///< where GGUF's readers differ; may be empty
};

/// Unsupported: steps that do anything but mark spaces with U+2581.
Result<SpmSpaces> spm_spaces(const core::Json& normalizer, const core::Json& pre_tokenizer);

struct SpmScores {
  std::vector<float> scores;  ///< of all tokens
  std::string difference;     ///< where they do not stand for the merges; may be empty
};

/// Scores by which SentencePiece merges as the merges do: the later a token's first merge, the
/// lower its score. They stand for the merges if every way to make a token of two others is one,
/// and if they come token by token, as in a vocabulary that was made from a SentencePiece model.
SpmScores spm_scores(const std::vector<std::string>& tokens, const std::vector<std::int32_t>& types,
                     const std::vector<MergeTexts>& merges);

}  // namespace llm::tokenizer
