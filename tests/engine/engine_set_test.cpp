// A precision that a request asks for is loaded beside the first one, within the memory allowed,
// and gives the answers that a worker started in it gives.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/engine_set.h"
#include "engine/engine_under_test.h"
#include "support/temp_dir.h"

namespace llm::engine {
namespace {

namespace fs = std::filesystem;

class EngineSets : public ::testing::Test {
 protected:
  static LoadedParts load(const LoadOptions& options,
                          const std::string& path = model_path("demo")) {
    auto parts = load_parts(path, options);
    EXPECT_TRUE(parts) << parts.status().message();
    return std::move(*parts);
  }
  static std::unique_ptr<EngineSet> make(const LoadOptions& options, RunnerHooks hooks = {}) {
    return std::make_unique<EngineSet>(load(options), options, std::move(hooks));
  }
  static std::size_t weights_of(const std::string& dtype) {
    LoadOptions options = small_options();
    options.dtype = dtype;
    return load(options).info.memory.weights;
  }
  static GenerationRequest request(std::optional<DType> dtype, std::int64_t seed = 0) {
    GenerationRequest request =
        demanding_request(some_tokens(50, seed), 12, static_cast<std::uint64_t>(seed));
    request.dtype = dtype;
    return request;
  }
  static std::shared_ptr<Collector> start(Engine& engine, const GenerationRequest& request,
                                          RequestId* id = nullptr) {
    auto collector = std::make_shared<Collector>();
    const auto accepted = engine.submit(request, collector);
    EXPECT_TRUE(accepted) << accepted.status().message();
    if (!accepted) collector->on_end({.reason = StopReason::error, .error = accepted.status()});
    if (accepted && id != nullptr) *id = *accepted;
    return collector;
  }
  static std::shared_ptr<Collector> run(Engine& engine, const GenerationRequest& request) {
    auto collector = start(engine, request);
    collector->wait();
    return collector;
  }
  static std::shared_ptr<Collector> run_alone(const std::string& dtype,
                                              const GenerationRequest& request,
                                              const std::string& kv_dtype = "") {
    LoadOptions options = small_options();
    options.dtype = dtype;
    options.kv_dtype = kv_dtype;
    EngineUnderTest engine("demo", options);
    return engine.run(request);
  }
};

TEST_F(EngineSets, AnotherPrecisionAnswersAsAWorkerStartedInIt) {
  const auto set = make(small_options());
  const auto expected_f32 = run_alone("f32", request({}));
  const auto expected_bf16 = run_alone("bf16", request({}));
  const auto expected_f16 = run_alone("f16", request({}));
  ASSERT_FALSE(same_result(*expected_f32, *expected_bf16)) << "or nothing is shown here";
  EXPECT_EQ(set->loaded_dtypes(), std::vector{DType::f32});
  EXPECT_TRUE(same_result(*run(*set, request(DType::bf16)), *expected_bf16));
  EXPECT_EQ(set->loaded_dtypes(), (std::vector{DType::f32, DType::bf16}));

  // All at once.
  std::vector<std::shared_ptr<Collector>> f32;
  std::vector<std::shared_ptr<Collector>> bf16;
  std::vector<std::shared_ptr<Collector>> f16;
  for (int round = 0; round < 4; ++round) {
    f16.push_back(start(*set, request(DType::f16)));
    bf16.push_back(start(*set, request(DType::bf16)));
    f32.push_back(start(*set, request(round % 2 == 0 ? std::optional(DType::f32) : std::nullopt)));
  }
  for (std::size_t round = 0; round < f32.size(); ++round) {
    for (const auto& collector : {f32[round], bf16[round], f16[round]}) collector->wait();
    EXPECT_TRUE(same_result(*f32[round], *expected_f32));
    EXPECT_TRUE(same_result(*bf16[round], *expected_bf16));
    EXPECT_TRUE(same_result(*f16[round], *expected_f16));
  }
  EXPECT_EQ(set->loaded_dtypes().size(), 3u);
  EXPECT_EQ(set->info().capabilities.dtype, DType::f32) << "the first stays the one that is named";
  while (set->stats().generated_tokens < 13 * 12) std::this_thread::yield();
  EXPECT_EQ(set->stats().generated_tokens, 13u * 12u);
}

TEST_F(EngineSets, AnotherPrecisionHasTheCacheThatWasNamed) {
  const auto own_cache = run_alone("bf16", request({}));
  const auto named_cache = run_alone("bf16", request({}), "q8_0");
  ASSERT_FALSE(same_result(*own_cache, *named_cache)) << "or nothing is shown here";
  LoadOptions options = small_options();
  options.kv_dtype = "q8_0";
  const auto set = make(options);
  EXPECT_EQ(set->info().capabilities.kv_dtype, DType::q8_0);
  EXPECT_TRUE(same_result(*run(*set, request(DType::bf16)), *named_cache));
  options.kv_dtype = "auto";
  EXPECT_TRUE(same_result(*run(*make(options), request(DType::bf16)), *own_cache));
}

TEST_F(EngineSets, WhatDoesNotFitIsRefusedWithNumbers) {
  LoadOptions options = small_options();
  const std::size_t f32 = weights_of("f32");
  const std::size_t bf16 = weights_of("bf16");
  options.max_weights_bytes = f32 + bf16 - 1;
  const auto set = make(options);
  const Status refused = set->submit(request(DType::bf16), std::make_shared<Collector>()).status();
  EXPECT_EQ(refused.code(), StatusCode::resource_exhausted);
  EXPECT_EQ(
      refused.message(),
      fmt::format("dtype bf16 cannot be loaded beside f32: the weights take {} bytes as bf16, "
                  "allowed for them are {}",
                  bf16, bf16 - 1));
  ASSERT_TRUE(refused.shortage());
  EXPECT_EQ(refused.shortage()->required_bytes, bf16);
  EXPECT_EQ(refused.shortage()->available_bytes, bf16 - 1);
  EXPECT_EQ(set->loaded_dtypes(), std::vector{DType::f32});
  EXPECT_EQ(run(*set, request(DType::f32))->end.reason, StopReason::max_tokens);
}

TEST_F(EngineSets, TheFirstMustFitTheLimitAsWell) {
  LoadOptions options = small_options();
  const std::size_t f32 = weights_of("f32");
  options.max_weights_bytes = f32 - 1;
  const auto parts = load_parts(model_path("demo"), options);
  ASSERT_FALSE(parts);
  EXPECT_EQ(parts.error().message(),
            fmt::format("the weights take {} bytes as f32, allowed for them are {}", f32, f32 - 1));
}

TEST_F(EngineSets, TheLeastRecentlyUsedGivesWayUnlessItIsInUse) {
  StepGate gate;
  RunnerHooks hooks;
  hooks.before_forward = [&](const models::Batch&) -> Status {
    gate.pass();
    return {};
  };
  LoadOptions options = small_options();
  options.max_weights_bytes = weights_of("f32") + weights_of("bf16");
  const auto set = make(options, hooks);
  EXPECT_EQ(run(*set, request(DType::bf16))->end.reason, StopReason::max_tokens);

  gate.close();
  const auto in_use = start(*set, request(DType::bf16));
  gate.wait_for_step();
  EXPECT_EQ(set->submit(request(DType::f16), std::make_shared<Collector>()).status().code(),
            StatusCode::resource_exhausted);
  gate.open();
  in_use->wait();
  EXPECT_EQ(in_use->end.reason, StopReason::max_tokens);

  // A request that has been told its end gives its place back before.
  EXPECT_TRUE(same_result(*run(*set, request(DType::f16)), *run_alone("f16", request({}))));
  EXPECT_EQ(set->loaded_dtypes(), (std::vector{DType::f32, DType::f16}));
  EXPECT_TRUE(same_result(*run(*set, request(DType::bf16)), *run_alone("bf16", request({}))));
  EXPECT_EQ(set->loaded_dtypes(), (std::vector{DType::f32, DType::bf16}));
  // Those of dropped engines are not forgotten. (Each publishes its own after a step.)
  while (set->stats().generated_tokens < 4 * 12) std::this_thread::yield();
  EXPECT_EQ(set->stats().generated_tokens, 4u * 12u);
}

TEST_F(EngineSets, WrongRequestsAreRefusedBeforeAnythingIsLoaded) {
  const auto set = make(small_options());
  GenerationRequest wrong = request(DType::bf16);
  wrong.prompt_tokens = {-1};
  EXPECT_EQ(set->submit(wrong, std::make_shared<Collector>()).status().code(),
            StatusCode::invalid_argument);
  EXPECT_EQ(set->submit(request(DType::q8_0), std::make_shared<Collector>()).status().code(),
            StatusCode::invalid_argument);
  EXPECT_EQ(set->loaded_dtypes(), std::vector{DType::f32});
}

// The file that was opened is read again, not whatever has its name now; and when it was damaged
// meanwhile, that is an error of the requests that wanted it.
TEST_F(EngineSets, TheFileIsTheOneThatWasOpened) {
  const TempDir directory;
  const fs::path model = directory.path() / "model";
  fs::copy(model_path("demo"), model, fs::copy_options::recursive);
  LoadOptions options = small_options();
  EngineSet set(load(options, model.string()), options);
  const fs::path weights = model / "model.safetensors";
  fs::rename(weights, directory.path() / "moved");
  directory.write("model/model.safetensors", "something else");
  EXPECT_TRUE(same_result(*run(set, request(DType::bf16)), *run_alone("bf16", request({}))));

  const fs::path moved = directory.path() / "moved";
  {
    std::fstream file(moved, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(moved) / 2));
    file << std::string(1024, '\xff');  // not a number, in the middle of a matrix
  }
  const auto damaged = run(set, request(DType::f16));
  EXPECT_EQ(damaged->end.reason, StopReason::error);
  EXPECT_EQ(damaged->end.error.code(), StatusCode::corrupt_data);
  EXPECT_EQ(damaged->end.error.message().find("loading dtype f16: "), 0u)
      << damaged->end.error.message();

  fs::resize_file(moved, 1000);
  const Status cut = set.submit(request(DType::f16), std::make_shared<Collector>()).status();
  EXPECT_EQ(cut.code(), StatusCode::io_error);
  EXPECT_NE(cut.message().find("the file ends at byte"), std::string::npos) << cut.message();
  EXPECT_EQ(set.loaded_dtypes(), (std::vector{DType::f32, DType::bf16}));
}

TEST_F(EngineSets, RequestsThatWaitForLoadingCanBeCancelledAndTimeOut) {
  FakeClock clock;
  RunnerHooks hooks;
  hooks.now = [&] { return clock.now(); };
  const auto set = make(small_options(), hooks);
  // The clock jumps as soon as both wait; loading then takes notice of it at the next layer.
  GenerationRequest hurried = request(DType::bf16, 1);
  hurried.timeout_ms = 1;
  RequestId id = 0;
  const auto cancelled = start(*set, request(DType::bf16), &id);
  set->cancel(id);
  cancelled->wait();
  EXPECT_EQ(cancelled->end.reason, StopReason::cancelled);
  const auto late = start(*set, hurried);
  clock.advance_ms(10);
  late->wait();
  EXPECT_EQ(late->end.reason, StopReason::error);
  EXPECT_EQ(late->end.error.code(), StatusCode::deadline_exceeded);
  EXPECT_EQ(run(*set, request(DType::bf16))->end.reason, StopReason::max_tokens);
}

TEST_F(EngineSets, StoppingWhileLoadingEndsTheRequest) {
  auto set = make(small_options());
  const auto waiting = start(*set, request(DType::bf16));
  set.reset();
  waiting->wait();
  EXPECT_EQ(waiting->ends, 1);
}

TEST_F(EngineSets, ANumberNamesOneRequestOfAll) {
  const auto set = make(small_options());
  GenerationRequest endless = request({});
  endless.max_tokens = 400;
  RequestId first = 0;
  RequestId second = 0;
  const auto f32 = start(*set, endless, &first);
  endless.dtype = DType::bf16;
  const auto bf16 = start(*set, endless, &second);
  EXPECT_NE(first, second);
  set->cancel(second);
  bf16->wait();
  EXPECT_EQ(bf16->end.reason, StopReason::cancelled);
  set->cancel(first);
  f32->wait();
  EXPECT_EQ(f32->end.reason, StopReason::cancelled);
}

TEST(StepTurns, OneAtATime) {
  StepTurns turns;
  turns.set_working(true);
  turns.set_working(true);
  EXPECT_EQ(turns.working(), 2);
  turns.set_working(false);
  EXPECT_EQ(turns.working(), 1);
  turns.set_working(false);

  int inside = 0;
  int most = 0;
  const auto work = [&] {
    for (int step = 0; step < 500; ++step) {
      const StepTurns::Turn turn(turns);
      most = std::max(most, ++inside);
      std::this_thread::yield();
      --inside;
    }
  };
  std::thread first(work);
  std::thread second(work);
  first.join();
  second.join();
  EXPECT_EQ(most, 1);
}

}  // namespace
}  // namespace llm::engine
