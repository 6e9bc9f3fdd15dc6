// Benchmark of a model on this machine: the speed of prompt processing and of decoding, alone and
// in batches, beside what the machine can do at most. Measures the model's steps alone, without
// sampling and text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "llm/engine.h"

namespace llm::engine {

struct BenchmarkOptions {
  std::int64_t prompt = 512;                   ///< tokens of a prompt; 0: not measured
  std::int64_t generate = 128;                 ///< tokens decoded per sequence; 0: not measured
  std::int64_t depth = 0;                      ///< tokens in front of either, in every sequence
  std::vector<std::int64_t> batches = {1, 8};  ///< sequences decoded at once
  int repetitions = 5;
};

struct BenchmarkRow {
  std::string name;                  ///< "pp512", "tg128", "tg128 x 8", "tg128 @ 8192"
  std::int64_t batch = 1;            ///< sequences
  std::int64_t tokens = 0;           ///< per sequence
  std::vector<double> tokens_per_s;  ///< of each repetition, all sequences together
  double median_tokens_per_s = 0;
  double gb_per_s = 0;     ///< weights and cache that had to be read, at the median
  double gflop_per_s = 0;  ///< multiplications and additions of the model, at the median
};

struct BenchmarkReport {
  ModelInfo info;
  std::string input_format;        ///< of the matrix products: f32, f16, bf16 or q8
  double machine_gb_per_s = 0;     ///< read bandwidth
  double machine_gflop_per_s = 0;  ///< peak of the instruction set for that format
  std::vector<BenchmarkRow> rows;
};

Result<BenchmarkReport> run_benchmark(const std::string& path, const LoadOptions& load,
                                      const BenchmarkOptions& options);

}  // namespace llm::engine
