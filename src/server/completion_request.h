// CompletionRequest: the body of POST /v1/chat/completions or /v1/completions, parsed and checked
// against its schema table. The tables are printed in docs/api.md. Plain values; needs no network
// and no engine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/engine.h"
#include "server/api_error.h"
#include "server/field_schema.h"
#include "server/job_request.h"

namespace llm::server {

enum class CompletionKind : std::uint8_t { chat, text };

struct TextPrompt {
  std::string text;
  std::vector<std::int32_t> tokens;  ///< used when `is_tokens`
  bool is_tokens = false;
};

struct CompletionRequest {
  /// Of every choice, but for its prompt.
  GenerationRequest generation;
  ChatRequest chat;                 ///< kind chat
  std::vector<TextPrompt> prompts;  ///< kind text
  std::string model;                ///< empty: not named
  int choices = 1;                  ///< per prompt
  bool stream = false;
  bool include_usage = false;
  bool logprobs = false;  ///< reported, with `alternatives` others per token
  int alternatives = 0;
  bool echo = false;
  std::vector<std::string> ignored;
};

/// What the checks need to know of the worker.
struct CompletionContext {
  const ModelInfo& model;
  JobLimits limits;
  Status chat;          ///< Engine::chat_status()
  bool strict = false;  ///< unknown fields are errors
};

struct ParsedCompletion {
  CompletionRequest request;
  FieldErrors errors;  ///< empty: the request may run
};

/// An error when the body is not one JSON object; field problems, all of them, in `errors`.
Result<ParsedCompletion> parse_completion(CompletionKind kind, std::string_view body,
                                          const CompletionContext& context);

/// The schema of a worker with default limits, for documentation.
std::vector<Field> documented_completion_fields(CompletionKind kind);

}  // namespace llm::server
