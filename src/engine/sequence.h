// Sequence: one request on its way through the engine: its tokens, its pages, its sampler, and what
// has been told to its observer. Owned by the scheduler, touched by the engine thread alone once it
// has been handed over.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/text_stream.h"
#include "llm/engine.h"
#include "sampling/sampler.h"

namespace llm::engine {

struct Sequence {
  using Clock = std::chrono::steady_clock;

  Sequence(RequestId request_id, sampling::Sampler request_sampler, TextStream text_stream)
      : id(request_id), sampler(std::move(request_sampler)), text(std::move(text_stream)) {}

  RequestId id;
  std::shared_ptr<GenerationObserver> observer;
  std::vector<std::int32_t> tokens;  ///< prompt, then what was generated
  std::int64_t prompt_length = 0;
  std::int64_t max_tokens = 0;  ///< generated tokens at most; prompt_length + max_tokens fits
  std::int64_t computed = 0;    ///< leading tokens whose keys and values are in the cache
  std::int64_t epoch = 0;       ///< Rope::epoch that `computed` tokens were computed with
  std::vector<std::int32_t> pages;
  sampling::Sampler sampler;
  TextStream text;
  int logprobs = 0;
  std::int64_t delivered = 0;  ///< events given to the observer

  Clock::time_point submitted = Clock::now();
  Clock::time_point started;
  Clock::time_point first_token;

  std::int64_t generated() const {
    return static_cast<std::int64_t>(tokens.size()) - prompt_length;
  }
};

}  // namespace llm::engine
