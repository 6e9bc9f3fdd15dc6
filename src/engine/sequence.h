// Sequence: one request on its way through the engine: its tokens, its pages, its sampler, and what
// has been told to its observer. Owned by the scheduler, touched by the engine thread alone once it
// has been handed over. A preempted sequence keeps everything but its pages, and goes on from there
// as if nothing had happened.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/block_manager.h"
#include "engine/text_stream.h"
#include "llm/engine.h"
#include "sampling/sampler.h"
#include "tokenizer/stream_decoder.h"

namespace llm::engine {

struct Client;

struct Sequence {
  using Clock = std::chrono::steady_clock;

  Sequence(RequestId request_id, sampling::Sampler request_sampler, TextStream text_stream)
      : id(request_id), sampler(std::move(request_sampler)), text(std::move(text_stream)) {}

  RequestId id;  ///< rises with the order of arrival
  std::shared_ptr<GenerationObserver> observer;
  std::string client_key;
  Client* client = nullptr;  ///< set by the scheduler

  // What it is.
  std::vector<std::int32_t> tokens;  ///< prompt, then what was generated
  std::int64_t prompt_length = 0;
  std::int64_t max_tokens = 0;  ///< generated tokens at most; prompt_length + max_tokens fits
  std::int64_t min_tokens = 0;
  bool ignore_eos = false;
  int logprobs = 0;
  std::optional<int> prompt_logprobs;
  std::int64_t timeout_ms = 0;
  Clock::time_point deadline = Clock::time_point::max();

  // What the cache holds of it.
  PageTable table;
  std::int64_t computed = 0;    ///< leading tokens whose keys and values are in the table's pages
  std::int64_t epoch = 0;       ///< models::Rope::epoch that they are rotated with
  std::uint64_t last_step = 0;  ///< the last step that had rows of it

  // What its observer knows.
  sampling::Sampler sampler;
  TextStream text;
  std::optional<tokenizer::StreamDecoder> prompt_text;  ///< with prompt_logprobs
  std::int64_t prompt_reported = 0;                     ///< tokens of the prompt
  std::int64_t cached_tokens = 0;
  std::int64_t delivered = 0;  ///< token events
  std::int64_t preemptions = 0;
  bool ended = false;  ///< out of the scheduler, kept until the step is over

  Clock::time_point submitted;
  Clock::time_point started;  ///< the clock's zero until then
  Clock::time_point first_token;
  Clock::time_point last_token;

  bool has_started() const { return started != Clock::time_point(); }
  std::int64_t length() const { return static_cast<std::int64_t>(tokens.size()); }
  std::int64_t generated() const { return length() - prompt_length; }
  /// Tokens that must be computed before the next one can be chosen.
  std::int64_t missing() const { return length() - computed; }
  /// Whether the logits of a position tell about the prompt, and have not yet.
  bool reports_prompt(std::int64_t position) const {
    return prompt_logprobs && position + 1 < prompt_length && position + 1 >= prompt_reported;
  }
  /// Leading tokens whose keys and values may come from elsewhere: not those whose logits are
  /// needed, which is the last one at least.
  std::int64_t reusable() const {
    const bool reporting = prompt_logprobs && prompt_reported < prompt_length;
    return reporting ? std::max<std::int64_t>(prompt_reported - 1, 0) : length() - 1;
  }
};

}  // namespace llm::engine
