// How far two models lie apart that should compute the same: a model in two formats or types, or a
// conversion and what it was made from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/logit_metrics.h"
#include "llm/engine.h"

namespace llm::engine {

/// One side of the comparison.
struct ComparedModel {
  std::string path;
  std::string dtype;     ///< as LoadOptions::dtype
  std::string kv_dtype;  ///< as LoadOptions::kv_dtype
};

struct CompareOptions {
  /// Compared at every position of the prompt and of A's greedy continuation of it.
  std::vector<std::string> prompts;
  std::int64_t max_tokens = 32;  ///< of a continuation; end tokens do not end it
  /// Compared at the scored positions of its windows (TextWindows), and its perplexities measured.
  std::optional<std::string> text;
  std::int64_t context = 0;  ///< length of these windows; 0: min(512, both models')
  int threads = 0;
  std::string instruction_set;
};

struct CompareReport {
  std::int64_t vocab_size = 0;
  DType dtype_a = DType::f32;
  DType dtype_b = DType::f32;
  DType kv_dtype_a = DType::f32;
  DType kv_dtype_b = DType::f32;
  /// Prompts (and the text) that A and B tokenise differently; both models get A's tokens.
  std::int64_t tokenised_differently = 0;
  LogitDifference difference;
  std::optional<Perplexity> perplexity_a, perplexity_b;  ///< of the text
};

/// Errors: a model that cannot be opened, vocabularies of different sizes, a prompt or text without
/// tokens or too long, logits that are not finite.
Result<CompareReport> compare_models(const ComparedModel& a, const ComparedModel& b,
                                     const CompareOptions& options);

}  // namespace llm::engine
