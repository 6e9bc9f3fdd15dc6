// The JSON of the OpenAI API's completions: whole replies, chunks, logprobs, usage.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/json.h"
#include "server/completion.h"

namespace llm::server {

/// The members that replies and chunks share. `chunk`: of a stream.
core::Json completion_base(const Completion& completion, bool chunk);

/// The sampling values in use; of choice 0.
core::Json effective_of(const Completion& completion);

/// Logprobs of some tokens in the shape of the kind; `characters`: those of the text before them
/// (moved on), for `text_offset`.
core::Json logprobs_json(const Completion& completion, std::span<const TokenEvent> tokens,
                         std::int64_t& characters);

core::Json usage_json(const Completion& completion);

/// "stop" or "length".
std::string_view finish_reason(const Completion& completion, const EndEvent& end);

/// The reply when every choice has ended well.
core::Json completion_json(const Completion& completion);

}  // namespace llm::server
