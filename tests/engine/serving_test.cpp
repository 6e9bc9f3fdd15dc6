// What people rely on in production: a bounded queue that says when to come back, deadlines and
// cancellation in every state, memory that comes back, numbers that are true.
#include <gtest/gtest.h>

#include "engine/engine_under_test.h"

namespace llm::engine {
namespace {

class Serving : public ::testing::Test {
 protected:
  RunnerHooks hooks() {
    RunnerHooks hooks;
    hooks.now = [this] { return clock.now(); };
    hooks.before_forward = [this](const models::Batch& batch) -> Status {
      clock.advance_ms(10 + 0.5 * static_cast<double>(batch.rows.size()));
      gate.pass();
      return {};
    };
    return hooks;
  }
  static GenerationRequest endless(std::int64_t seed = 0) {
    GenerationRequest request = request_of(some_tokens(20, seed), 900);
    request.ignore_eos = true;
    return request;
  }

  FakeClock clock;
  StepGate gate;
};

// ---- The queue ----------------------------------------------------------------------------------

TEST_F(Serving, AFullQueueRefusesAndSaysWhenToComeBack) {
  LoadOptions options = small_options();
  options.max_sequences = 2;
  options.max_queue = 3;
  EngineUnderTest engine("demo", options, hooks());
  // Requests end in (about) so much time, each of two at once.
  GenerationRequest request = request_of(some_tokens(16), 11);
  request.ignore_eos = true;
  engine.run(request);
  const double one_s = engine.settled_stats().estimated_wait_s;
  EXPECT_GT(one_s, 0.1);

  gate.close();
  std::vector<std::shared_ptr<Collector>> accepted;
  for (int r = 0; r < 5; ++r) accepted.push_back(engine.submit(request));
  const Status refused = engine.refusal(request);
  EXPECT_EQ(refused.code(), StatusCode::unavailable);
  EXPECT_EQ(refused.message().find("queue full: 5 requests"), 0u) << refused.message();
  EXPECT_GT(refused.retry_after_ms(), 40);
  EXPECT_LE(refused.retry_after_ms(), 1000 * one_s + 1);
  EXPECT_EQ(engine->stats().refused, 1u);
  gate.open();
  for (const auto& collector : accepted) collector->wait();
  EXPECT_EQ(engine.run(request)->end.reason, StopReason::max_tokens) << "places are free again";
}

TEST_F(Serving, WithoutAQueueOnlyWhatRunsIsAccepted) {
  LoadOptions options = small_options();
  options.max_sequences = 2;
  options.max_queue = 0;
  EngineUnderTest engine("demo", options, hooks());
  gate.close();
  RequestId first = 0;
  engine.submit(endless(), &first);
  const auto second = engine.submit(endless(1));
  EXPECT_EQ(engine.refusal(endless(2)).code(), StatusCode::unavailable);
  EXPECT_EQ(engine.refusal(endless(2)).retry_after_ms(), 1000) << "nothing was measured yet";
  engine->cancel(first);
  gate.open();
  engine.settled_stats();
  EXPECT_EQ(engine.run(request_of(some_tokens(4), 2))->ends, 1);
}

TEST_F(Serving, WhatIsWrongIsNotPutInTheQueue) {
  LoadOptions options = small_options();
  options.max_sequences = 1;
  options.max_queue = 0;
  EngineUnderTest engine("demo", options);
  GenerationRequest request = request_of(some_tokens(4), 2);
  request.timeout_ms = 0;
  EXPECT_EQ(engine.refusal(request).message(), "timeout_ms must be at least 1 (got 0)");
  request.timeout_ms.reset();
  request.min_tokens = 3;
  EXPECT_EQ(engine.refusal(request).message(), "min_tokens must be at most max_tokens, 2 (got 3)");
  request.min_tokens = -1;
  EXPECT_EQ(engine.refusal(request).code(), StatusCode::invalid_argument);
  request.min_tokens = 0;
  request.prompt_logprobs = 21;
  EXPECT_EQ(engine.refusal(request).code(), StatusCode::invalid_argument);
  request.prompt_logprobs.reset();
  EXPECT_EQ(engine.run(request)->ends, 1) << "the only place was not lost";
}

// ---- Cancellation -------------------------------------------------------------------------------

TEST_F(Serving, CancellationWorksInEveryStateAndGivesPagesBack) {
  LoadOptions options = small_options();
  options.max_sequences = 2;
  options.prefix_cache = false;
  EngineUnderTest engine("demo", options, hooks());
  gate.close();
  RequestId decoding = 0;
  RequestId prefilling = 0;
  RequestId queued = 0;
  const auto first = engine.submit(endless(), &decoding);
  gate.let_through(4);  // 20 tokens in slices of 16, and some of its own
  const auto second = engine.submit(request_of(some_tokens(200, 1), 10), &prefilling);
  const auto third = engine.submit(endless(2), &queued);
  gate.let_through(4);
  gate.wait_for_step();
  EXPECT_GT(engine->stats().kv_pages_used, 6) << "one or two, and seven for the long prompt";

  engine->cancel(queued);
  engine->cancel(prefilling);
  engine->cancel(decoding);
  gate.let_through(1);  // the step that was under way; the next one does not begin
  for (const auto& collector : {first, second, third}) {
    collector->wait();
    EXPECT_EQ(collector->end.reason, StopReason::cancelled);
  }
  EXPECT_EQ(third->starts, 0);
  EXPECT_EQ(second->starts, 1);
  EXPECT_EQ(second->tokens.size(), 0u);
  EXPECT_GE(first->tokens.size(), 5u);
  EXPECT_LE(first->tokens.size(), 9u);
  const EngineStats stats = engine.settled_stats();
  EXPECT_EQ(stats.kv_pages_used, 0);
  EXPECT_EQ(stats.kv_pages_cached, 0);
}

// ---- Deadlines ----------------------------------------------------------------------------------

TEST_F(Serving, DeadlinesEndRequestsInEveryState) {
  LoadOptions options = small_options();
  options.max_sequences = 2;
  EngineUnderTest engine("demo", options, hooks());
  gate.close();
  GenerationRequest request = endless();
  request.timeout_ms = 400;
  const auto decoding = engine.submit(request);
  request = request_of(some_tokens(600, 1), 10);
  request.timeout_ms = 200;
  const auto prefilling = engine.submit(request);
  request = endless(2);
  request.timeout_ms = 100;
  const auto queued = engine.submit(request);
  gate.open();
  for (const auto& collector : {decoding, prefilling, queued}) {
    collector->wait();
    EXPECT_EQ(collector->end.reason, StopReason::error);
    EXPECT_EQ(collector->end.error.code(), StatusCode::deadline_exceeded);
  }
  EXPECT_EQ(queued->end.error.message(), "timed out after 100 ms, in the queue");
  EXPECT_EQ(prefilling->end.error.message(), "timed out after 200 ms, before the first token");
  EXPECT_EQ(decoding->end.error.message(), "timed out after 400 ms, while generating");
  EXPECT_GT(decoding->tokens.size(), 10u);
  const EngineStats stats = engine.settled_stats();
  EXPECT_EQ(stats.kv_pages_used, 0);
  EXPECT_EQ(stats.timeouts, 3u);
}

TEST_F(Serving, ALongTimeoutIsNoTimeout) {
  EngineUnderTest engine("demo", small_options());
  GenerationRequest request = request_of(some_tokens(4), 3);
  request.timeout_ms = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(engine.run(request)->end.reason, StopReason::max_tokens);
}

// ---- The gap ------------------------------------------------------------------------------------

// Through the whole engine: the clock moves by the rows of each step, and the stream's gaps are
// what it says.
TEST_F(Serving, AStreamKeepsItsGapWhileALongPromptIsProcessed) {
  LoadOptions options = small_options();
  options.max_batch_rows = 512;
  options.max_token_gap_ms = 40;
  EngineUnderTest engine("demo", options, hooks());
  const auto stream = engine.submit(endless());
  stream->wait_for_tokens(20);
  GenerationRequest request = request_of(some_tokens(900, 1), 1);
  request.ignore_eos = true;
  const auto prompt = engine.submit(request);
  prompt->wait();
  const EngineStats stats = engine->stats();
  // Buckets end at 25, 50 and 100 ms.
  EXPECT_GT(stats.token_gap.counts[5], 5u) << "mixed steps use the gap";
  std::uint64_t longer = 0;
  for (std::size_t bucket = 6; bucket < stats.token_gap.counts.size(); ++bucket) {
    longer += stats.token_gap.counts[bucket];
  }
  EXPECT_EQ(longer, 0u);
}

// ---- Numbers ------------------------------------------------------------------------------------

TEST_F(Serving, StatisticsAddUp) {
  LoadOptions options = small_options();
  options.max_sequences = 2;
  EngineUnderTest engine("demo", options, hooks());
  std::vector<GenerationRequest> requests;
  for (int r = 0; r < 6; ++r) {
    requests.push_back(request_of(some_tokens(40 + r, r), 10));
    requests.back().ignore_eos = true;
  }
  const auto results = engine.run_all(requests);
  const EngineStats stats = engine.settled_stats();
  EXPECT_EQ(stats.prompt_tokens, 6u * 40 + 15);
  EXPECT_EQ(stats.generated_tokens, 60u);
  EXPECT_EQ(stats.computed_tokens, stats.prompt_tokens + 6 * 9);
  EXPECT_EQ(stats.first_token.total, 6u);
  EXPECT_EQ(stats.token_gap.total, 6u * 9);
  EXPECT_EQ(stats.failed_steps, 0u);
  EXPECT_GT(stats.steps, 0u);
  EXPECT_GT(stats.step_seconds, stats.decode_seconds);
  EXPECT_GT(stats.decode_seconds, 0);
  // Each step reads all weights at least.
  const auto weights = static_cast<double>(engine->info().memory.weights);
  const double decode_steps = stats.decode_bytes / weights;
  EXPECT_GT(decode_steps, 10);
  EXPECT_LT(decode_steps, static_cast<double>(stats.steps) * 1.2);
  double buckets = 0;
  for (const std::uint64_t count : stats.first_token.counts) buckets += static_cast<double>(count);
  EXPECT_EQ(buckets, 6);
  EXPECT_GT(stats.first_token.sum_seconds, 0.05);
  for (const auto& result : results) {
    EXPECT_GE(result->end.queue_ms, 0);
    EXPECT_GT(result->end.prefill_ms, 20);
    EXPECT_GT(result->end.decode_ms, 80);
  }
}

TEST(LatencyHistogram, PutsEachTimeIntoItsBucket) {
  LatencyHistogram histogram;
  for (const double seconds : {0.0005, 0.001, 0.0011, 0.3, 1000.0}) histogram.add(seconds);
  EXPECT_EQ(histogram.counts[0], 2u) << "bounds are inclusive";
  EXPECT_EQ(histogram.counts[1], 1u);
  EXPECT_EQ(histogram.counts[8], 1u);
  EXPECT_EQ(histogram.counts.back(), 1u);
  EXPECT_EQ(histogram.total, 5u);
  EXPECT_NEAR(histogram.sum_seconds, 1000.3026, 1e-9);
}

TEST_F(Serving, ManyRequestsOverTooFewPagesAllEnd) {
  LoadOptions options = small_options();
  options.max_sequences = 8;
  options.context = 160;
  {
    EngineUnderTest probe("demo", options);
    options.kv_cache_bytes = probe->info().memory.kv_per_token * 32 * 6;
  }
  EngineUnderTest engine("demo", options);
  EXPECT_EQ(engine->stats().kv_pages_total, 6);
  std::vector<GenerationRequest> requests;
  for (int r = 0; r < 40; ++r) {
    requests.push_back(request_of(some_tokens(3 + r * 3, r), 40));
    requests.back().ignore_eos = true;
    requests.back().client = std::string(1, static_cast<char>('a' + r % 3));
  }
  for (const auto& result : engine.run_all(requests)) {
    EXPECT_EQ(result->end.reason, StopReason::max_tokens);
    EXPECT_EQ(result->ends, 1);
  }
  const EngineStats stats = engine.settled_stats();
  EXPECT_EQ(stats.kv_pages_used, 0);
  EXPECT_GT(stats.preemptions, 0u);
}

TEST_F(Serving, StoppingEndsWhatIsThere) {
  std::vector<std::shared_ptr<Collector>> collectors;
  {
    EngineUnderTest engine("demo", small_options());
    for (int r = 0; r < 8; ++r) collectors.push_back(engine.submit(endless(r)));
    collectors[0]->wait_for_tokens(2);
  }
  for (const auto& collector : collectors) {
    EXPECT_EQ(collector->ends, 1);
    EXPECT_EQ(collector->end.reason, StopReason::cancelled);
  }
}

}  // namespace
}  // namespace llm::engine
