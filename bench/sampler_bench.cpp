// Micro-benchmarks of choosing a token on one thread, from a row of 128,256 logits: the vocabulary
// of Llama 3. Reports microseconds of processor time per token.
//
//   llm-sampler-bench --benchmark_filter='usual_chain/.*'
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "sampling/logprobs.h"
#include "sampling/sampler.h"

namespace llm::sampling {
namespace {

constexpr std::int32_t kVocabSize = 128'256;
constexpr std::size_t kHistory = 512;

/// What a trained model gives in the middle of a sentence (a few tokens far above a broad rest),
/// what it gives when anything may follow, and the worst case of a selection (nothing stands out).
std::vector<float> make_logits(const std::string& kind) {
  std::mt19937 dice(7);
  std::normal_distribution<float> normal(0, kind == "flat" ? 1e-3F : 2.0F);
  std::vector<float> logits(kVocabSize);
  for (float& logit : logits) logit = normal(dice);
  if (kind != "peaked") return logits;
  for (int n = 0; n < 30; ++n) {
    logits[dice() % logits.size()] = 18.0F - 0.5F * static_cast<float>(n);
  }
  return logits;
}

SamplingParams make_params(const std::string& chain) {
  SamplingParams params;
  params.seed = 3;
  if (chain == "greedy") params.temperature = 0;
  if (chain == "top_p") params.top_p = 0.95F;
  if (chain == "min_p") params.min_p = 0.05F;
  if (chain == "temperature" || chain == "usual_chain") params.temperature = 0.8F;
  if (chain == "usual_chain") {
    params.repetition_penalty = 1.1F;
    params.repeat_last_n = kHistory;
    params.top_k = 40;
    params.top_p = 0.95F;
    params.min_p = 0.05F;
  }
  return params;
}

// Rows in turn, as of a batch: together they exceed a core's cache, as they do after a step.
constexpr std::size_t kRows = 8;

void bench_sample(benchmark::State& state, const std::string& chain, const std::string& kind,
                  int logprobs) {
  const std::vector<std::vector<float>> rows(kRows, make_logits(kind));
  std::vector<std::int32_t> history(kHistory);
  std::mt19937 dice(11);
  for (std::int32_t& id : history) id = static_cast<std::int32_t>(dice() % kVocabSize);
  Sampler sampler = Sampler::create(make_params(chain), kVocabSize).value();
  SamplingScratch scratch(kVocabSize);
  std::size_t row = 0;
  for (auto _ : state) {
    const std::vector<float>& logits = rows[row++ % kRows];
    const std::int32_t id = sampler.sample(logits, history, 256, scratch).value();
    benchmark::DoNotOptimize(id);
    if (logprobs > 0) benchmark::DoNotOptimize(token_logprobs(logits, id, logprobs).value());
  }
}

void register_benchmarks() {
  for (const char* const kind : {"peaked", "broad", "flat"}) {
    for (const char* const chain : {"greedy", "temperature", "usual_chain", "top_p", "min_p"}) {
      benchmark::RegisterBenchmark((std::string(chain) + "/" + kind).c_str(), bench_sample, chain,
                                   kind, 0)
          ->Unit(benchmark::kMicrosecond);
    }
    benchmark::RegisterBenchmark((std::string("usual_chain_logprobs_5/") + kind).c_str(),
                                 bench_sample, "usual_chain", kind, 5)
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace
}  // namespace llm::sampling

int main(int argc, char** argv) {
  llm::sampling::register_benchmarks();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
