// RunReport: what one generation did, as a line for people and as JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "llm/engine.h"

namespace llm::cli {

struct RunReport {
  std::string text;
  std::vector<std::int32_t> tokens;  ///< generated, without the end token
  StartEvent start;
  EndEvent end;
};

/// Prompt tokens computed per second; 0 when none were.
double prefill_tokens_per_s(const EndEvent& end);
/// Decode steps per second: the first token belongs to the prefill, an end token is a step.
double decode_tokens_per_s(const EndEvent& end);

/// Keys: text, tokens, prompt_tokens, stop_reason, stop_sequence?, dtype, effective,
/// prefill_tokens_per_s, decode_tokens_per_s.
core::Json run_json(const RunReport& run, const GenerationRequest& request, const ModelInfo& info);

/// One line for stderr.
std::string run_summary(const RunReport& run, const ModelInfo& info);

}  // namespace llm::cli
