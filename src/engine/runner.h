// Runner: executes a scheduled step on the model, samples the next tokens, and finishes sequences
// that end. Talks to the observers. The engine thread owns it.
#pragma once

#include <vector>

#include "engine/scheduler.h"
#include "models/decoder.h"
#include "sampling/sampler.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

class Runner {
 public:
  /// All references must outlive the runner.
  Runner(models::Decoder& decoder, const tokenizer::Tokenizer& tokenizer, const EosTokens& eos,
         std::int64_t vocab_size, Scheduler& scheduler);

  /// One step: schedule, run, sample. False when there was nothing to do.
  bool step();
  /// Ends a sequence, running or waiting, and tells its observer; ignores unknown ids.
  void end(RequestId id, StopReason reason, const Status& error);
  void end_all(StopReason reason, const Status& error);

  /// Logits outside any request, on pages that are free now; see Engine::logits.
  Result<std::vector<float>> logits(std::span<const std::int32_t> tokens, std::int64_t chunk,
                                    bool all_positions);

 private:
  void start(Sequence& sequence);
  void take_token(Sequence& sequence, std::span<const float> logits);
  Result<TokenEvent> make_event(const Sequence& sequence, std::span<const float> logits,
                                std::int32_t token) const;
  void deliver(Sequence& sequence, std::vector<TokenEvent>& events);

  models::Decoder& decoder_;
  const tokenizer::Tokenizer& tokenizer_;
  const EosTokens& eos_;
  std::int64_t vocab_size_;
  Scheduler& scheduler_;
  sampling::SamplingScratch sampling_scratch_;
  ScheduledStep step_;
  std::vector<Sequence*> started_;
  std::vector<TokenEvent> released_;
};

}  // namespace llm::engine
