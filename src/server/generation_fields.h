// The fields of a request body that say how to generate, as rows of a schema. Shared by the jobs
// API and the OpenAI API.
#pragma once

#include <string_view>
#include <vector>

#include "llm/engine.h"
#include "server/field_schema.h"

namespace llm::server {

/// temperature, top_p, ..., stop, seed, logit_bias; read into `generation`. Both must outlive the
/// rows.
std::vector<Field> sampling_fields(GenerationRequest& generation, const ModelInfo& model);

/// The wanted type, unless it is the one that was loaded first.
Field dtype_field(GenerationRequest& generation, const ModelInfo& model);

/// Token ids of the vocabulary, or why not. Names the place and never repeats a value: they are
/// part of a prompt.
Result<std::vector<std::int32_t>> read_token_ids(const core::Json& list, std::string_view name,
                                                 std::int64_t vocab_size);

}  // namespace llm::server
