// The plan of a model must be what loading it gives, to the byte, without reading its weights.
#include "engine/describe_model.h"

#include <gtest/gtest.h>

#include "core/aligned_buffer.h"
#include "engine/benchmark.h"

namespace llm::engine {
namespace {

const std::string kRoot = std::string(LLM_SOURCE_DIR) + "/";

LoadOptions small(const std::string& dtype = "") {
  LoadOptions options;
  options.dtype = dtype;
  options.threads = 2;
  options.context = 64;
  options.max_sequences = 2;
  return options;
}

TEST(PlanModel, IsWhatLoadingGives) {
  const std::string models = kRoot + "tests/fixtures/models/";
  for (const std::string& path :
       {kRoot + "models/demo", models + "llama-gqa.gguf", models + "llama-bias",
        models + "mistral-window", models + "llama-rope-dynamic"}) {
    for (const char* dtype : {"", "auto"}) {
      const auto plan = plan_model(path, small(dtype));
      ASSERT_TRUE(plan.has_value()) << path << ": " << plan.status().message();
      const auto engine = load_model(path, small(dtype));
      ASSERT_TRUE(engine.has_value()) << path << ": " << engine.status().message();
      const ModelInfo& loaded = engine.value()->info();
      EXPECT_EQ(plan.value().memory.weights, loaded.memory.weights) << path;
      EXPECT_EQ(plan.value().memory.kv_per_token, loaded.memory.kv_per_token) << path;
      EXPECT_EQ(plan.value().memory.kv_cache, loaded.memory.kv_cache) << path;
      EXPECT_EQ(plan.value().memory.scratch, loaded.memory.scratch) << path;
      EXPECT_EQ(plan.value().memory.tables, loaded.memory.tables) << path;
      EXPECT_EQ(plan.value().capabilities.parameters, loaded.capabilities.parameters) << path;
      EXPECT_EQ(plan.value().capabilities.dtype, loaded.capabilities.dtype) << path;
      EXPECT_EQ(plan.value().capabilities.max_context_length,
                loaded.capabilities.max_context_length);
      EXPECT_EQ(plan.value().capabilities.eos_tokens.ids(), loaded.capabilities.eos_tokens.ids());
    }
  }
}

TEST(PlanModel, TheTypeOfTheCacheIsReportedAndCounted) {
  for (const std::string model : {"models/demo", "tests/fixtures/models/deepseek-v3"}) {
    std::vector<std::size_t> per_token;
    for (const auto& [name, dtype] :
         {std::pair{"f32", DType::f32}, std::pair{"f16", DType::f16},
          std::pair{"bf16", DType::bf16}, std::pair{"q8_0", DType::q8_0}}) {
      LoadOptions options = small();
      options.kv_dtype = name;
      const auto plan = plan_model(kRoot + model, options);
      ASSERT_TRUE(plan.has_value()) << plan.status().message();
      const auto engine = load_model(kRoot + model, options);
      ASSERT_TRUE(engine.has_value()) << engine.status().message();
      const ModelInfo& loaded = engine.value()->info();
      EXPECT_EQ(loaded.capabilities.kv_dtype, dtype);
      EXPECT_EQ(loaded.capabilities.dtype, DType::f32);
      EXPECT_EQ(plan.value().capabilities.kv_dtype, dtype);
      EXPECT_EQ(plan.value().memory.kv_cache, loaded.memory.kv_cache);
      EXPECT_EQ(plan.value().memory.kv_per_token, loaded.memory.kv_per_token);
      const std::size_t tokens = 4 * 32 * loaded.memory.kv_per_token;
      EXPECT_EQ(loaded.memory.kv_cache, core::AlignedBuffer::footprint(tokens));
      per_token.push_back(loaded.memory.kv_per_token);
    }
    EXPECT_EQ(per_token[1], per_token[0] / 2);
    EXPECT_EQ(per_token[2], per_token[1]);
    EXPECT_LT(per_token[3], per_token[2]) << model;
  }
}

TEST(PlanModel, SumsEverythingUp) {
  LoadOptions options = small();
  options.max_queue = 10;
  const auto plan = plan_model(kRoot + "models/demo", options);
  ASSERT_TRUE(plan.has_value()) << plan.status().message();
  const MemoryPlan& memory = plan.value().memory;
  EXPECT_EQ(memory.total(), memory.weights + memory.kv_cache + memory.scratch + memory.tables +
                                memory.tokenizer + memory.program);
  // Two sequences of 64 positions: two pages each.
  EXPECT_EQ(memory.kv_cache, 4 * 32 * memory.kv_per_token);
  EXPECT_GT(memory.program, std::size_t{1} << 20);
  EXPECT_GT(memory.tables, 12 * 64 * sizeof(std::int32_t)) << "the tokens of twelve requests";
}

TEST(PlanModel, WhatCannotFitIsRefusedBeforeWeightsAreRead) {
  LoadOptions options = small();
  options.kv_cache_bytes = std::size_t{1} << 50;
  const Status planned = plan_model(kRoot + "models/demo", options).status();
  EXPECT_EQ(planned.code(), StatusCode::resource_exhausted);
  EXPECT_NE(planned.message().find("1125899906842624 bytes"), std::string::npos)
      << planned.message();
  bool read = false;
  options.on_progress = [&](const LoadProgress&) { read = true; };
  EXPECT_EQ(load_model(kRoot + "models/demo", options).status().code(),
            StatusCode::resource_exhausted);
  EXPECT_FALSE(read);
}

TEST(PlanModel, ChecksOptionsAsLoadingDoes) {
  LoadOptions options = small();
  options.context = 1 << 30;
  EXPECT_EQ(plan_model(kRoot + "models/demo", options).status().message(),
            load_model(kRoot + "models/demo", options).status().message());
  options = small("f8");
  EXPECT_EQ(plan_model(kRoot + "models/demo", options).status().message(), "Unsupported dtype: f8");
  options = small();
  options.kv_dtype = "q4_0";
  for (const Status& refused : {plan_model(kRoot + "models/demo", options).status(),
                                load_model(kRoot + "models/demo", options).status()}) {
    EXPECT_EQ(refused.code(), StatusCode::invalid_argument);
    EXPECT_EQ(refused.message(), "kv_dtype q4_0: expected auto, f32, f16, bf16 or q8_0");
  }
  options = small();
  options.device = "cuda";
  EXPECT_FALSE(plan_model(kRoot + "models/demo", options).has_value());
}

TEST(Benchmark, MeasuresEveryRowAskedFor) {
  const BenchmarkOptions options{.prompt = 40, .generate = 6, .batches = {1, 3}, .repetitions = 2};
  LoadOptions load = small();
  load.context = 0;
  load.max_batch_rows = 16;  // the prompt takes three slices
  const auto report = run_benchmark(kRoot + "models/demo", load, options);
  ASSERT_TRUE(report.has_value()) << report.status().message();
  ASSERT_EQ(report.value().rows.size(), 3U);
  const char* const names[] = {"pp40", "tg6", "tg6 x 3"};
  for (std::size_t row = 0; row < 3; ++row) {
    const BenchmarkRow& found = report.value().rows[row];
    EXPECT_EQ(found.name, names[row]);
    EXPECT_EQ(found.tokens_per_s.size(), 2U);
    EXPECT_GT(found.median_tokens_per_s, 0);
    EXPECT_GT(found.gb_per_s, 0);
    EXPECT_GT(found.gflop_per_s, 0);
    EXPECT_GT(found.machine_gb_per_s, 0);
    EXPECT_GT(found.machine_gflop_per_s, 0);
  }
  // Twice the matrix weights per token and a little for attention.
  const BenchmarkRow& decode = report.value().rows[1];
  const double per_token = decode.gflop_per_s * 1e9 / decode.median_tokens_per_s;
  const auto parameters = static_cast<double>(report.value().info.capabilities.parameters);
  EXPECT_GT(per_token, 2.0 * parameters);
  EXPECT_LT(per_token, 2.1 * parameters);
}

TEST(Benchmark, ADeeperContextIsMoreWork) {
  BenchmarkOptions options{.prompt = 16, .generate = 4, .batches = {2}, .repetitions = 1};
  LoadOptions load = small();
  load.context = 0;
  const auto flat = run_benchmark(kRoot + "models/demo", load, options);
  options.depth = 100;
  const auto deep = run_benchmark(kRoot + "models/demo", load, options);
  ASSERT_TRUE(flat.has_value() && deep.has_value()) << deep.status().message();
  const char* const names[] = {"pp16 @ 100", "tg4 x 2 @ 100"};
  ASSERT_EQ(deep.value().rows.size(), 2U);
  for (std::size_t row = 0; row < 2; ++row) {
    const auto operations_per_token = [row](const BenchmarkReport& report) {
      return report.rows[row].gflop_per_s / report.rows[row].median_tokens_per_s;
    };
    EXPECT_EQ(deep.value().rows[row].name, names[row]);
    EXPECT_GT(operations_per_token(deep.value()), 1.01 * operations_per_token(flat.value()));
  }
  options.depth = 100000;
  EXPECT_FALSE(run_benchmark(kRoot + "models/demo", load, options).has_value());
}

TEST(Benchmark, WrongOptionsAreErrors) {
  const std::string demo = kRoot + "models/demo";
  EXPECT_FALSE(run_benchmark(demo, small(), {.prompt = -1}).has_value());
  EXPECT_FALSE(run_benchmark(demo, small(), {.batches = {}}).has_value());
  EXPECT_FALSE(run_benchmark(demo, small(), {.batches = {0}}).has_value());
  EXPECT_FALSE(run_benchmark(demo, small(), {.repetitions = 0}).has_value());
  // The context given is too short for the prompt asked for.
  EXPECT_FALSE(run_benchmark(demo, small(), {.prompt = 512}).has_value());
  // Longer than the model can be.
  LoadOptions load = small();
  load.context = 0;
  EXPECT_FALSE(run_benchmark(demo, load, {.prompt = 100000}).has_value());
}

}  // namespace
}  // namespace llm::engine
