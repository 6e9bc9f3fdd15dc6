// Speed of tokenizers: llm-tokenizer-bench TOKENIZERS TEXTS [--benchmark_…]
// TOKENIZERS: a folder of folders with a tokenizer.json; TEXTS: a folder of *.txt files. Runs
// encode/NAME/TEXT and decode/NAME/TEXT on one thread; bytes_per_second counts the text's bytes.
#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "tokenizer/tokenizer.h"

namespace llm::tokenizer {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMaxBytes = std::size_t{1} << 28;

// The tokenizer of a folder. The last one is kept: benchmarks of one follow one another.
const Tokenizer* tokenizer_of(const fs::path& folder) {
  static fs::path last;
  static std::unique_ptr<Tokenizer> tokenizer;
  if (last == folder) return tokenizer.get();
  tokenizer.reset();
  last = folder;
  const auto json = core::read_text_file(folder / "tokenizer.json", kMaxBytes);
  if (!json) return nullptr;
  auto built = tokenizer_from_json(*json, "");
  if (built) tokenizer = std::move(built).value();
  return tokenizer.get();
}

void bench_encode(benchmark::State& state, const fs::path& folder, const fs::path& file) {
  const Tokenizer* const tokenizer = tokenizer_of(folder);
  const auto text = core::read_text_file(file, kMaxBytes);
  if (tokenizer == nullptr || !text) return state.SkipWithError("cannot be loaded");
  std::size_t tokens = 0;
  for (auto _ : state) tokens = tokenizer->encode(*text).value().size();
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text->size()));
  state.counters["tokens"] = static_cast<double>(tokens);
}

void bench_decode(benchmark::State& state, const fs::path& folder, const fs::path& file) {
  const Tokenizer* const tokenizer = tokenizer_of(folder);
  const auto text = core::read_text_file(file, kMaxBytes);
  if (tokenizer == nullptr || !text) return state.SkipWithError("cannot be loaded");
  const std::vector<std::int32_t> ids = tokenizer->encode(*text).value();
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->decode(ids, true).value().size());
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text->size()));
}

std::vector<fs::path> sorted_paths(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

void register_all(const fs::path& tokenizers, const fs::path& texts) {
  for (const fs::path& folder : sorted_paths(tokenizers)) {
    if (!fs::exists(folder / "tokenizer.json")) continue;
    for (const fs::path& file : sorted_paths(texts)) {
      if (file.extension() != ".txt") continue;
      const std::string name = folder.filename().string() + "/" + file.stem().string();
      benchmark::RegisterBenchmark(("encode/" + name).c_str(), bench_encode, folder, file);
      benchmark::RegisterBenchmark(("decode/" + name).c_str(), bench_decode, folder, file);
    }
  }
}

}  // namespace
}  // namespace llm::tokenizer

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 3) {
    fmt::print(stderr, "usage: {} TOKENIZERS TEXTS [--benchmark_...]\n", argv[0]);
    return 2;
  }
  llm::tokenizer::register_all(argv[1], argv[2]);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
