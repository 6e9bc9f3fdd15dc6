// Perplexity of a text under a model: how many tokens it hesitates between, on average.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/logit_metrics.h"
#include "llm/engine.h"

namespace llm::engine {

struct PerplexityReport {
  Perplexity perplexity;         ///< of the scored tokens
  DType dtype = DType::f32;      ///< the model ran with
  DType kv_dtype = DType::f32;   ///< of the KV cache
  std::int64_t text_tokens = 0;  ///< of the text, with its BOS token
  std::int64_t windows = 0;
  std::int64_t window_length = 0;  ///< tokens of a window
};

/// Cuts the text into windows (TextWindows) of load.context tokens (0: min(512, the model's)),
/// computes each as a sequence of its own, and scores the tokens that the second half of its
/// positions predict.
Result<PerplexityReport> measure_perplexity(const std::string& path, const LoadOptions& load,
                                            std::string_view text);

}  // namespace llm::engine
