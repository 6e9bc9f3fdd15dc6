// Runs one fuzz target (linked in as LLVMFuzzerTestOneInput) over its corpus: every file as it is,
// cut short, and damaged in a few hundred reproducible ways. A target reports a defect by crashing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr std::size_t kTruncationsPerFile = 400;
constexpr int kMutationsPerFile = 300;

void run(const Input& input) {
  // A copy of exactly this size: a read past its end is visible to AddressSanitizer.
  const Input copy(input.begin(), input.end());
  EXPECT_EQ(LLVMFuzzerTestOneInput(copy.data(), copy.size()), 0);
}

std::vector<Input> read_corpus() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(LLM_CORPUS_DIR)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());  // the directory's order is not reproducible
  std::vector<Input> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

/// Small damages of the kinds that break parsers: flipped bits, extreme numbers at any place, parts
/// cut out or repeated.
void damage(Input& input, std::mt19937& random) {
  const auto below = [&](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  };
  if (input.empty()) {
    input.push_back(static_cast<std::uint8_t>(below(256)));
    return;
  }
  const std::size_t at = below(input.size());
  switch (below(5)) {
    case 0:
      input[at] = static_cast<std::uint8_t>(input[at] ^ (1u << below(8)));
      break;
    case 1:
      input[at] = static_cast<std::uint8_t>(below(256));
      break;
    case 2: {
      constexpr std::uint64_t kNumbers[] = {
          0,          1,          0x7f,       0x80,        0xff,       0x7fff,           0xffff,
          0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 1ull << 62, (1ull << 63) - 1, 1ull << 63,
          ~0ull};
      const std::uint64_t number = kNumbers[below(std::size(kNumbers))];
      const std::size_t width = std::min(input.size() - at, std::size_t{1} << below(4));
      std::memcpy(input.data() + at, &number, width);
      break;
    }
    case 3: {
      const auto begin = input.begin() + static_cast<std::ptrdiff_t>(at);
      input.erase(begin, begin + static_cast<std::ptrdiff_t>(
                                     1 + below(std::min<std::size_t>(input.size() - at, 16))));
      break;
    }
    default: {
      const Input part(
          input.begin() + static_cast<std::ptrdiff_t>(at),
          input.begin() + static_cast<std::ptrdiff_t>(
                              at + 1 + below(std::min<std::size_t>(input.size() - at, 16))));
      input.insert(input.begin() + static_cast<std::ptrdiff_t>(below(input.size())), part.begin(),
                   part.end());
    }
  }
}

TEST(FuzzReplay, Corpus) {
  const std::vector<Input> corpus = read_corpus();
  ASSERT_FALSE(corpus.empty()) << "no inputs in " << LLM_CORPUS_DIR;
  for (const Input& input : corpus) run(input);
  run({});
}

TEST(FuzzReplay, TruncatedInputs) {
  for (const Input& input : read_corpus()) {
    const std::size_t step = input.size() / kTruncationsPerFile + 1;
    for (std::size_t size = 0; size < input.size(); size += step) {
      run(Input(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size)));
    }
  }
}

TEST(FuzzReplay, DamagedInputs) {
  std::mt19937 random(20240229);
  for (const Input& input : read_corpus()) {
    for (int mutation = 0; mutation < kMutationsPerFile; ++mutation) {
      Input damaged = input;
      for (int count = 1 + mutation % 4; count > 0; --count) damage(damaged, random);
      run(damaged);
    }
  }
}

}  // namespace
