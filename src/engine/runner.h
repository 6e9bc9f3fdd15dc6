// Runner: executes a scheduled step on the model, samples the next tokens, and finishes sequences
// that end. Talks to the observers. What fails ends the requests concerned and nothing else; when
// steps fail again and again, the runner gives up for good. The engine thread owns it.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "engine/row_choices.h"
#include "engine/scheduler.h"
#include "engine/step_work.h"
#include "llm/engine_stats.h"
#include "models/decoder.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

/// What tests put in the place of the world.
struct RunnerHooks {
  std::function<Sequence::Clock::time_point()> now = &Sequence::Clock::now;
  /// Called before each step is computed; its error, or exception, is the step's.
  std::function<Status(const models::Batch&)> before_forward;
};

class Runner {
 public:
  /// All references must outlive the runner. `in_flight` counts the requests that were accepted and
  /// have not ended; the runner takes those off that end.
  Runner(models::Decoder& decoder, const tokenizer::Tokenizer& tokenizer, const EosTokens& eos,
         const StepWork& work, BlockManager& blocks, Scheduler& scheduler, RowChoices& choices,
         std::atomic<int>& in_flight, RunnerHooks hooks);

  /// Puts a request in the queue; ends it when that is not possible.
  void add(std::unique_ptr<Sequence> sequence);
  /// One step: schedule, run, sample. False when there was nothing to do.
  bool step();
  /// Ends a sequence, whatever it is doing, and tells its observer; ignores unknown ids.
  void end(RequestId id, StopReason reason, const Status& error);
  void end_all(StopReason reason, const Status& error);
  /// Ends everything with that error, for good.
  void give_up(const Status& error);
  /// ok, or why the runner has given up.
  const Status& failure() const { return failure_; }

  EngineStats stats() const;

  /// Logits outside any request, on pages that nobody uses now; see Engine::logits.
  Result<std::vector<float>> logits(std::span<const std::int32_t> tokens, std::int64_t chunk,
                                    bool all_positions);

 private:
  using Clock = Sequence::Clock;

  void end_expired();
  Status run_step();
  void fail_step(const Status& error);
  void start(Sequence& sequence);
  Status sample();
  Status take_choice(Sequence& sequence, std::int64_t position, const RowChoice& choice);
  void report_prompt_token(Sequence& sequence, TokenEvent event);
  void take_token(Sequence& sequence, TokenEvent event, bool ends);
  void add_logprobs(const sampling::TokenLogprobs& found, TokenEvent& event) const;
  void count_token(Sequence& sequence);
  void count_step(Clock::time_point begin, Clock::time_point end);
  void deliver(Sequence& sequence, std::vector<TokenEvent>& events);
  void finish(std::unique_ptr<Sequence> owned, StopReason reason, const Status& error);

  models::Decoder& decoder_;
  const tokenizer::Tokenizer& tokenizer_;
  const EosTokens& eos_;
  const StepWork& work_;
  BlockManager& blocks_;
  Scheduler& scheduler_;
  RowChoices& choices_;
  std::atomic<int>& in_flight_;
  RunnerHooks hooks_;

  ScheduledStep step_;
  std::vector<Sequence*> started_;
  std::vector<RequestId> expired_;
  std::vector<TokenEvent> released_;
  std::vector<std::unique_ptr<Sequence>> ended_;  // during this step: rows still refer to them
  bool in_step_ = false;

  int failures_in_a_row_ = 0;
  Status failure_;
  double mean_service_s_ = 0;  // of requests, from their start to their end; 0: none has ended
  EngineStats totals_;
};

}  // namespace llm::engine
