// JobRequest: the body of POST /v1/jobs, parsed and checked against the schema table. The same
// table is printed in docs/api.md. Plain values; needs no network and no engine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/engine.h"
#include "server/api_error.h"
#include "server/field_schema.h"

namespace llm::server {

struct JobLimits {
  std::int64_t max_prompt_chars = 32768;
  std::int64_t max_tokens_limit = 2048;
  std::int64_t max_queue = 64;  ///< LoadOptions::max_queue
};

struct JobRequest {
  GenerationRequest generation;  ///< prompt or prompt_tokens, unless `messages` is set
  bool has_prompt = false;
  ChatRequest chat;  ///< without messages, unless the prompt is a chat to be rendered
  std::string operation;
  std::string model;  ///< empty: not named
  std::vector<std::string> ignored;
};

/// What the checks need to know of the worker.
struct JobContext {
  const ModelInfo& model;
  JobLimits limits;
  Status chat;                     ///< Engine::chat_status()
  bool operation_required = true;  ///< false on the deprecated route
  bool strict = false;             ///< unknown fields are errors
};

struct ParsedJob {
  JobRequest request;
  FieldErrors errors;  ///< empty: the request may run
};

/// An error when the body is not one JSON object; field problems, all of them, in `errors`.
Result<ParsedJob> parse_job(std::string_view body, const JobContext& context);

/// The schema of a worker with default limits, for documentation.
std::vector<Field> documented_job_fields();

}  // namespace llm::server
