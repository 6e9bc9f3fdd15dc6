// Whatever fails in a step ends the requests concerned with an error. The engine goes on, or says
// that it has failed; it never hangs and never ends the process.
#include <gtest/gtest.h>

#include <filesystem>
#include <new>
#include <stdexcept>

#include "core/error.h"
#include "engine/engine_under_test.h"
#include "support/temp_dir.h"

namespace llm::engine {
namespace {

namespace fs = std::filesystem;

class Failures : public ::testing::Test {
 protected:
  RunnerHooks hooks() {
    RunnerHooks hooks;
    hooks.before_forward = [this](const models::Batch&) -> Status {
      gate.pass();
      const std::function<Status()> failure = std::exchange(next_failure, nullptr);
      return failure ? failure() : always;
    };
    return hooks;
  }

  static GenerationRequest request(std::int64_t seed = 0) {
    return demanding_request(some_tokens(40, seed), 12, static_cast<std::uint64_t>(seed));
  }

  // Set while the engine stands at the gate, or is idle.
  StepGate gate;
  std::function<Status()> next_failure;
  Status always;
};

TEST_F(Failures, AStepThatThrowsEndsItsRequestsAndNoOthers) {
  LoadOptions options = small_options();
  options.max_sequences = 2;
  EngineUnderTest engine("demo", options, hooks());
  const auto expected = engine.run(request(2));
  gate.close();
  const auto first = engine.submit(request(0));
  const auto second = engine.submit(request(1));
  const auto waiting = engine.submit(request(2));
  gate.let_through(5);
  gate.wait_for_step();
  next_failure = []() -> Status { throw std::bad_alloc(); };
  gate.open();
  for (const auto& collector : {first, second, waiting}) collector->wait();
  EXPECT_EQ(first->end.reason, StopReason::error);
  EXPECT_EQ(first->end.error.code(), StatusCode::resource_exhausted);
  EXPECT_EQ(second->end.reason, StopReason::error);
  EXPECT_TRUE(same_result(*waiting, *expected)) << "it had not begun";
  EXPECT_TRUE(engine->health().ok());
  const EngineStats stats = engine.settled_stats();
  EXPECT_EQ(stats.kv_pages_used, 0);
  EXPECT_EQ(stats.failed_steps, 1u);
}

// Nothing of a failed step may be found in the prefix cache.
TEST_F(Failures, PagesOfAFailedStepAreNotReused) {
  LoadOptions options = small_options();
  options.max_batch_rows = 64;
  EngineUnderTest engine("demo", options, hooks());
  next_failure = [] { return core::internal_error("no luck"); };
  EXPECT_EQ(engine.run(request())->end.error.message(), "no luck");
  const auto result = engine.run(request());
  EXPECT_EQ(result->end.cached_tokens, 0);
  EngineUnderTest other("demo", options);
  EXPECT_TRUE(same_result(*result, *other.run(request())));
}

TEST_F(Failures, AnUnknownExceptionIsCaughtAsWell) {
  EngineUnderTest engine("demo", small_options(), hooks());
  next_failure = []() -> Status { throw 42; };
  EXPECT_EQ(engine.run(request())->end.error.code(), StatusCode::internal);
  EXPECT_EQ(engine.run(request())->end.reason, StopReason::max_tokens);
}

TEST_F(Failures, StepsThatKeepFailingEndTheEngineVisibly) {
  EngineUnderTest engine("demo", small_options(), hooks());
  always = core::io_error("the disk is gone");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(engine.run(request())->end.error.message(), "the disk is gone");
    EXPECT_TRUE(engine->health().ok());
  }
  gate.close();
  std::vector<std::shared_ptr<Collector>> rest;
  for (int r = 0; r < 6; ++r) rest.push_back(engine.submit(request(r)));  // more than run at once
  gate.open();
  for (const auto& collector : rest) {
    collector->wait();
    EXPECT_EQ(collector->end.reason, StopReason::error);
    EXPECT_EQ(collector->ends, 1);
  }
  while (engine->health().ok()) std::this_thread::yield();
  EXPECT_EQ(engine->health().message(), "the engine has failed: the disk is gone");
  EXPECT_EQ(engine.refusal(request()).code(), StatusCode::unavailable);
  EXPECT_EQ(engine.refusal(request()).retry_after_ms(), 0) << "coming back will not help";
  EXPECT_FALSE(engine->logits(some_tokens(3), 0, false));
  engine->cancel(1);
}

TEST_F(Failures, AGoodStepInBetweenStartsTheCountAnew) {
  EngineUnderTest engine("demo", small_options(), hooks());
  for (int round = 0; round < 5; ++round) {
    next_failure = [] { return core::internal_error("now and then"); };
    EXPECT_EQ(engine.run(request())->end.reason, StopReason::error);
    EXPECT_EQ(engine.run(request())->end.reason, StopReason::max_tokens);
  }
  EXPECT_TRUE(engine->health().ok());
}

// ---- Observers ----------------------------------------------------------------------------------

enum class Place { start, prompt, token, end };

class Thrower final : public Collector {
 public:
  explicit Thrower(Place place) : place_(place) {}
  void on_start(const StartEvent& event) override {
    Collector::on_start(event);
    throw_at(Place::start);
  }
  void on_prompt_token(const TokenEvent& event) override {
    Collector::on_prompt_token(event);
    if (event.index == 20) throw_at(Place::prompt);
  }
  void on_token(const TokenEvent& event) override {
    Collector::on_token(event);
    if (event.index == 3) throw_at(Place::token);
  }
  void on_end(const EndEvent& event) override {
    Collector::on_end(event);
    throw_at(Place::end);
  }

 private:
  void throw_at(Place place) const {
    if (place == place_) throw std::runtime_error("the client's own trouble");
  }
  const Place place_;
};

TEST_F(Failures, AnObserverThatThrowsHarmsItsOwnRequestOnly) {
  EngineUnderTest engine("demo", small_options(), hooks());
  const auto expected = engine.run(request(1));
  for (const Place place : {Place::start, Place::prompt, Place::token, Place::end}) {
    gate.close();
    GenerationRequest harmful = request();
    harmful.prompt_logprobs = 0;
    const auto thrower = std::make_shared<Thrower>(place);
    engine.submit(harmful, thrower);
    const auto other = engine.submit(request(1));
    gate.open();
    thrower->wait();
    other->wait();
    EXPECT_TRUE(same_result(*other, *expected));
    EXPECT_EQ(thrower->ends, 1);
    if (place == Place::end) continue;
    EXPECT_EQ(thrower->end.reason, StopReason::error);
    EXPECT_EQ(thrower->end.error.message(),
              "the observer of the request failed: the client's own trouble");
  }
  EXPECT_TRUE(engine->health().ok());
  const EngineStats stats = engine.settled_stats();
  EXPECT_EQ(stats.kv_pages_used, 0);
  EXPECT_EQ(stats.failed_steps, 0u);
}

// ---- The model file -----------------------------------------------------------------------------

// Embedding rows are read while the model runs. A file that is cut under a running worker must not
// end the process, as touching a mapped page of it would.
TEST_F(Failures, AModelFileThatIsCutIsAnError) {
  const TempDir directory;
  const fs::path model = directory.path() / "model";
  fs::copy(model_path("demo"), model, fs::copy_options::recursive);
  auto parts = load_parts(model.string(), small_options());
  ASSERT_TRUE(parts) << parts.status().message();
  LocalEngine engine(std::move(*parts), small_options());
  const auto run = [&] {
    auto collector = std::make_shared<Collector>();
    EXPECT_TRUE(engine.submit(request(), collector));
    collector->wait();
    return collector;
  };
  EXPECT_EQ(run()->end.reason, StopReason::max_tokens);
  fs::resize_file(model / "model.safetensors", 1000);
  const auto cut = run();
  EXPECT_EQ(cut->end.reason, StopReason::error);
  EXPECT_EQ(cut->end.error.code(), StatusCode::io_error);
  EXPECT_NE(cut->end.error.message().find("model.safetensors: the file ends at byte"),
            std::string::npos)
      << cut->end.error.message();
}

// Another file under the same name (how downloads replace one) does not matter.
TEST_F(Failures, AModelFileThatIsReplacedStaysInUse) {
  const TempDir directory;
  const fs::path model = directory.path() / "model";
  fs::copy(model_path("demo"), model, fs::copy_options::recursive);
  auto parts = load_parts(model.string(), small_options());
  ASSERT_TRUE(parts) << parts.status().message();
  LocalEngine engine(std::move(*parts), small_options());
  EngineUnderTest untouched("demo", small_options());
  directory.write("other", "something else");
  fs::rename(directory.path() / "other", model / "model.safetensors");
  auto collector = std::make_shared<Collector>();
  ASSERT_TRUE(engine.submit(request(), collector));
  collector->wait();
  EXPECT_TRUE(same_result(*collector, *untouched.run(request())));
}

}  // namespace
}  // namespace llm::engine
