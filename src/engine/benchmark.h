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
  /// What the machine can do at most, medians of measurements between the repetitions: its read
  /// bandwidth, and the peak of the instruction set for report.input_format.
  double machine_gb_per_s = 0;
  double machine_gflop_per_s = 0;
  /// Parts of those that were reached: medians over the repetitions, each beside what was measured
  /// just before and after it. Above 1 where the machine was slower at those moments.
  double share_of_bandwidth = 0;
  double share_of_peak = 0;
};

struct BenchmarkReport {
  ModelInfo info;
  std::string input_format;  ///< of the matrix products: f32, f16, bf16 or q8
  std::vector<BenchmarkRow> rows;
};

Result<BenchmarkReport> run_benchmark(const std::string& path, const LoadOptions& load,
                                      const BenchmarkOptions& options);

}  // namespace llm::engine
