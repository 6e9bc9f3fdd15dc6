// Weights that are mapped from a file compute the same bits as those of the model; a file that does
// not fit is never used.
#include "models/packed_weights.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <functional>
#include <numeric>

#include "core/json.h"
#include "llm/log.h"
#include "models/load.h"
#include "models/sequence_run.h"
#include "support/temp_dir.h"

namespace llm::models {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = LLM_SOURCE_DIR;
const fs::path kFixtures = kRoot / "tests/fixtures/models";

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_file(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

std::size_t files_in(const fs::path& directory) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), {}));
}

/// Log lines about packed weights, as long as it lives.
class Log {
 public:
  Log() {
    set_log_sink([this](LogLevel, std::string_view line) {
      if (line.starts_with("packed weights")) text_ += std::string(line) + "\n";
    });
  }
  ~Log() { set_log_sink({}); }
  std::string take() { return std::exchange(text_, {}); }

 private:
  std::string text_;
};

struct Loading {
  fs::path model;
  std::string cache;
  std::string dtype = {};
  std::string isa = {};
  std::function<void(const LoadProgress&)> on_progress = {};
};

Result<LoadedModel> load(const Loading& setup, core::ThreadPool& pool) {
  LLM_ASSIGN_OR_RETURN(const kernels::Ops* ops, kernels::select_ops(setup.isa));
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile file, formats::ModelFile::open(setup.model));
  return load_decoder(file,
                      {.dtype = setup.dtype,
                       .context = 32,
                       .max_sequences = 1,
                       .packed_cache = setup.cache,
                       .on_progress = setup.on_progress},
                      *ops, pool);
}

/// Of every position of some tokens.
Result<std::vector<float>> logits(const Loading& setup) {
  core::ThreadPool pool(2);
  LLM_ASSIGN_OR_RETURN(const LoadedModel model, load(setup, pool));
  std::vector<std::int32_t> pages(static_cast<std::size_t>(model.decoder->cache().pages()));
  std::iota(pages.begin(), pages.end(), 0);
  SequenceRun run(*model.decoder, pages);
  const std::int32_t tokens[] = {5, 17, 3, 40, 11, 29, 8};
  return run.extend(tokens, 0, true);
}

void expect_same(const Result<std::vector<float>>& found, const std::vector<float>& expected,
                 const std::string& what) {
  ASSERT_TRUE(found) << what << ": " << found.error().message();
  ASSERT_EQ(found->size(), expected.size()) << what;
  EXPECT_EQ(std::memcmp(found->data(), expected.data(), expected.size() * sizeof(float)), 0)
      << what;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Dense and with experts (stacked and each on its own), fused and split matrices, interleaved rows,
// matrices that are transposed per head, 8-bit floats with factors, a tied head, shards.
TEST(PackedWeights, MappedWeightsComputeTheSameBits) {
  const std::pair<const char*, const char*> models[] = {
      {"models/demo", "f32"},
      {"models/demo", "bf16"},
      {"tests/fixtures/models/llama-bf16", "auto"},
      {"tests/fixtures/models/llama-f16", "auto"},
      {"tests/fixtures/models/llama-sharded", ""},
      {"tests/fixtures/models/qwen2-tied", ""},
      {"tests/fixtures/models/phi3", ""},
      {"tests/fixtures/models/falcon-40b", ""},
      {"tests/fixtures/models/mixtral", "f16"},
      {"tests/fixtures/models/qwen2-moe.gguf", ""},
      {"tests/fixtures/models/deepseek-v2", ""},
      {"tests/fixtures/models/deepseek-v3.gguf", ""},
      {"tests/fixtures/models/deepseek-v3-fp8", "bf16"},
      {"tests/fixtures/models/llama-gqa-split-00001-of-00002.gguf", ""},
      {"tests/fixtures/quants/llama-quantize.gguf", ""},
  };
  for (const auto& [model, dtype] : models) {
    const TempDir dir;
    Log log;
    Loading setup{.model = kRoot / model, .cache = "", .dtype = dtype};
    const auto expected = logits(setup);
    ASSERT_TRUE(expected) << model << ": " << expected.error().message();
    EXPECT_EQ(log.take(), "");
    setup.cache = dir.path() / "w.packed";
    expect_same(logits(setup), *expected, std::string(model) + ", written");
    EXPECT_TRUE(log.take().starts_with("packed weights: wrote " + setup.cache)) << model;
    expect_same(logits(setup), *expected, std::string(model) + ", mapped");
    EXPECT_TRUE(log.take().starts_with("packed weights: mapped " + setup.cache)) << model;
    EXPECT_EQ(files_in(dir.path()), 1U);
  }
}

TEST(PackedWeights, EveryInstructionSetHasItsOwn) {
  const TempDir dir;
  Log log;
  std::string last;
  for (const kernels::Ops* ops : kernels::available_ops()) {
    Loading setup{.model = kFixtures / "llama-gqa", .cache = "", .isa = std::string(ops->name)};
    const auto expected = logits(setup);
    ASSERT_TRUE(expected);
    setup.cache = dir.path() / "w.packed";
    expect_same(logits(setup), *expected, setup.isa);
    const std::string written = log.take();
    if (!last.empty()) {
      EXPECT_TRUE(contains(
          written, fmt::format("instruction_set: expected {}, found {}\n", ops->name, last)))
          << written;
    }
    expect_same(logits(setup), *expected, setup.isa + ", mapped");
    EXPECT_TRUE(contains(log.take(), "mapped")) << setup.isa;
    last = ops->name;
  }
}

TEST(PackedWeights, WhatIsMappedIsNotReadFromTheModel) {
  const TempDir dir;
  const Loading setup{.model = kRoot / "models/demo", .cache = dir.path() / "w.packed"};
  const auto first = logits(setup);
  ASSERT_TRUE(first);
  // Other weights in the file of packed ones give another result: that is where they come from.
  std::string bytes = read_file(setup.cache);
  std::fill(bytes.end() - 4096, bytes.end(), '\0');
  write_file(setup.cache, bytes);
  const auto second = logits(setup);
  ASSERT_TRUE(second);
  EXPECT_NE(*second, *first);
}

TEST(PackedWeights, GarbageInsideTheMatricesIsComputedWithAndNothingWorse) {
  for (const char* model :
       {"tests/fixtures/quants/llama-quantize.gguf", "tests/fixtures/models/llama-bf16",
        "tests/fixtures/models/qwen2-moe.gguf", "tests/fixtures/models/deepseek-v3"}) {
    const TempDir dir;
    Log log;
    const Loading setup{.model = kRoot / model, .cache = dir.path() / "w.packed", .dtype = "auto"};
    ASSERT_TRUE(logits(setup)) << model;
    const std::string good = read_file(setup.cache);
    const std::size_t begin = (good.find('\0', 24) + 4095) / 4096 * 4096;
    for (std::uint32_t seed : {1U, 2U, 3U}) {
      std::string bytes = good;
      for (std::size_t i = begin; i < bytes.size(); ++i) {
        seed = seed * 1664525U + 1013904223U;
        bytes[i] = static_cast<char>(seed >> 24U);
      }
      write_file(setup.cache, bytes);
      log.take();
      EXPECT_TRUE(logits(setup)) << model;
      EXPECT_TRUE(contains(log.take(), "mapped")) << model;
    }
  }
}

TEST(PackedWeights, MemoryParametersAndProgressAreThoseOfReading) {
  const TempDir dir;
  Loading setup{.model = kFixtures / "deepseek-v2", .cache = dir.path() / "w.packed"};
  core::ThreadPool pool(1);
  std::vector<LoadedModel> models;
  std::vector<std::vector<std::pair<std::int64_t, std::uint64_t>>> progress(2);
  for (auto& steps : progress) {
    setup.on_progress = [&](const LoadProgress& now) {
      steps.emplace_back(now.layers_loaded, now.bytes_loaded);
    };
    auto model = load(setup, pool);
    ASSERT_TRUE(model) << model.error().message();
    models.push_back(std::move(*model));
  }
  EXPECT_EQ(progress[0], progress[1]);
  EXPECT_GT(progress[1].size(), 1U);
  EXPECT_GT(progress[1].back().second, 0U);
  EXPECT_EQ(models[0].memory.weights, models[1].memory.weights);
  EXPECT_EQ(models[0].decoder->weight_bytes(), models[1].decoder->weight_bytes());
  EXPECT_EQ(models[0].parameters, models[1].parameters);
}

/// A cache that was written for a copy of a small model, and what the model computes.
class StaleCache : public ::testing::Test {
 protected:
  StaleCache() {
    for (const char* name : {"config.json", "model.safetensors"}) {
      fs::copy(kFixtures / "llama-gqa" / name, dir_.path() / name);
    }
    setup_ = {.model = dir_.path(), .cache = dir_.path() / "w.packed"};
    const auto found = logits(setup_);
    EXPECT_TRUE(found) << found.status().message();
    if (found) expected_ = *found;
    good_ = read_file(setup_.cache);
    log_.take();
  }

  /// The next load notices, computes the right result, and the one after it maps again.
  void expect_written_anew(const std::string& reason, const std::string& what) {
    expect_same(logits(setup_), expected_, what);
    const std::string line = log_.take();
    EXPECT_TRUE(contains(line, "packed weights are written anew: " + setup_.cache)) << line;
    EXPECT_TRUE(contains(line, reason)) << what << ": " << line;
    expect_same(logits(setup_), expected_, what + ", again");
    EXPECT_TRUE(contains(log_.take(), "packed weights: mapped")) << what;
  }

  /// The good file with its JSON text edited.
  std::string with_json(const std::function<void(core::Json&)>& edit) const {
    const std::size_t end = good_.find('\0', 24);
    core::Json json = core::parse_json(good_.substr(24, end - 24), "header").value();
    edit(json);
    const std::string text = json.dump();
    const std::uint64_t length = text.size();
    std::string file = good_.substr(0, 16);
    file.append(reinterpret_cast<const char*>(&length), sizeof length);
    file += text;
    const auto aligned = [](std::size_t bytes) { return (bytes + 4095) / 4096 * 4096; };
    file.resize(aligned(file.size()), '\0');
    return file + good_.substr(aligned(end));
  }

  TempDir dir_;
  Loading setup_;
  std::vector<float> expected_;
  std::string good_;
  Log log_;
};

TEST_F(StaleCache, AnotherHeader) {
  using Edit = std::function<void(core::Json&)>;
  const std::pair<Edit, const char*> cases[] = {
      {[](core::Json& j) { j["instruction_set"] = "other"; }, "instruction_set: expected "},
      {[](core::Json& j) { j["layout"] = "0123456789abcdef"; }, "layout: expected "},
      {[](core::Json& j) { j["dtype"] = "f16"; }, "dtype: expected f32, found f16"},
      {[](core::Json& j) { j["sources"][0]["size"] = 1; }, "size: expected "},
      {[](core::Json& j) { j["sources"][0]["modified_ns"] = 1; }, "modified_ns: expected "},
      {[](core::Json& j) { j["sources"][1]["sample"] = "0123456789abcdef"; }, "sample of its"},
      {[](core::Json& j) { j["sources"].erase(1); }, "number of sources: expected 2, found 1"},
      {[](core::Json& j) { j["matrices"][0]["name"] = "x"; }, "name: expected "},
      {[](core::Json& j) { j["matrices"][1]["cols"] = 1; }, "cols: expected "},
      {[](core::Json& j) { j["matrices"][1]["offset"] = 0; }, "offset: expected "},
      {[](core::Json& j) { j["matrices"][1]["offset"] = ~std::uint64_t{0}; }, "offset: expected "},
      {[](core::Json& j) { j["matrices"][2]["bytes"] = ~std::uint64_t{0}; }, "bytes: expected "},
      {[](core::Json& j) { j["matrices"].clear(); }, "bytes of matrices"},
      {[](core::Json& j) { j = nullptr; }, "header: expected an object"},
  };
  for (const auto& [edit, reason] : cases) {
    write_file(setup_.cache, with_json(edit));
    expect_written_anew(reason, reason);
  }
}

TEST_F(StaleCache, AnotherVersionOrGarbage) {
  std::string edited = good_;
  edited[8] = 99;
  write_file(setup_.cache, edited);
  expect_written_anew("version: expected 1, found 99", "version");
  edited = good_;
  std::fill(edited.begin() + 24, edited.begin() + 400, '\xee');
  write_file(setup_.cache, edited);
  expect_written_anew("invalid JSON", "garbage");
  edited = good_;
  std::fill(edited.begin() + 16, edited.begin() + 24, '\xff');
  write_file(setup_.cache, edited);
  expect_written_anew("header length: expected at most", "length");
  write_file(setup_.cache, good_ + "x");
  expect_written_anew("bytes of matrices, found", "longer");
}

TEST_F(StaleCache, CutShort) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, std::size_t{8}, std::size_t{15}, std::size_t{20},
        std::size_t{24}, std::size_t{1000}, std::size_t{4096}, good_.size() / 2,
        good_.size() - 4096, good_.size() - 1}) {
    write_file(setup_.cache, good_.substr(0, size));
    expect_written_anew("", fmt::format("{} bytes", size));
  }
}

TEST_F(StaleCache, AnotherModel) {
  const fs::path weights = dir_.path() / "model.safetensors";
  struct stat before {};
  ASSERT_EQ(::stat(weights.c_str(), &before), 0);
  const auto set_time = [&](timespec time) {
    const timespec times[2] = {time, time};
    ASSERT_EQ(::utimensat(AT_FDCWD, weights.c_str(), times, 0), 0);
  };
  // Touched, by a nanosecond.
  set_time(
      {.tv_sec = before.st_mtim.tv_sec, .tv_nsec = (before.st_mtim.tv_nsec + 1) % 1'000'000'000});
  expect_written_anew("source model.safetensors: modified_ns: expected ", "touched");
  struct stat touched {};
  ASSERT_EQ(::stat(weights.c_str(), &touched), 0);
  // Other weights of the same size and time, as in two images with all times set to one value.
  std::string bytes = read_file(weights);
  for (std::size_t i = bytes.size() / 2; i < bytes.size(); i += 4) bytes[i] ^= 1;
  write_file(weights, bytes);
  set_time(touched.st_mtim);
  const auto other = logits({.model = setup_.model, .cache = ""});
  ASSERT_TRUE(other);
  ASSERT_NE(*other, expected_);
  expected_ = *other;
  expect_written_anew("source model.safetensors: sample of its bytes: expected ", "same time");
}

TEST_F(StaleCache, AnotherDtype) {
  setup_.dtype = "bf16";
  const auto bf16 = logits({.model = setup_.model, .cache = "", .dtype = "bf16"});
  ASSERT_TRUE(bf16);
  ASSERT_NE(*bf16, expected_);
  expected_ = *bf16;
  expect_written_anew("dtype: expected bf16, found f32", "dtype");
}

TEST_F(StaleCache, ADirectoryHoldsAFilePerModelAndType) {
  setup_.cache = dir_.path() / "cache";
  fs::create_directory(setup_.cache);
  for (const char* dtype : {"f32", "bf16", "f32", "bf16"}) {
    setup_.dtype = dtype;
    ASSERT_TRUE(logits(setup_));
  }
  EXPECT_EQ(files_in(setup_.cache), 2U);
  const std::string name = fmt::format("{}-bf16-{}.packed", dir_.path().filename().string(),
                                       kernels::select_ops("").value()->name);
  EXPECT_TRUE(fs::exists(fs::path(setup_.cache) / name)) << name;
  EXPECT_FALSE(contains(log_.take(), "anew"));
  EXPECT_EQ(read_file(dir_.path() / "w.packed"), good_);
}

TEST_F(StaleCache, AFileThatIsNotOfPackedWeightsIsNotOverwritten) {
  for (const fs::path& path : {dir_.path() / "config.json", dir_.path() / "model.safetensors"}) {
    const std::string before = read_file(path);
    setup_.cache = path;
    const Status status = logits(setup_).status();
    EXPECT_EQ(status.code(), StatusCode::invalid_argument);
    EXPECT_EQ(status.message(),
              "packed weights: " + path.string() +
                  ": expected a file of packed weights or none, found another file, which is not "
                  "overwritten");
    EXPECT_EQ(read_file(path), before);
  }
}

TEST_F(StaleCache, APathThatCannotBeWrittenIsAnErrorBeforeAnythingIsRead) {
  int calls = 0;
  setup_.on_progress = [&](const LoadProgress&) { ++calls; };
  for (const fs::path& path : {dir_.path() / "absent" / "w", dir_.path() / "config.json" / "w"}) {
    setup_.cache = path;
    const Status status = logits(setup_).status();
    EXPECT_EQ(status.code(), StatusCode::io_error);
    EXPECT_TRUE(contains(status.message(), "packed weights: " + path.string() + ": cannot "))
        << status.message();
  }
  EXPECT_EQ(calls, 0);
}

TEST_F(StaleCache, ALoadThatFailsLeavesTheFileAsItWas) {
  std::string bytes = read_file(dir_.path() / "model.safetensors");
  std::fill(bytes.end() - 64, bytes.end(), '\xff');  // NaN
  write_file(dir_.path() / "model.safetensors", bytes);
  const Status status = logits(setup_).status();
  EXPECT_EQ(status.code(), StatusCode::corrupt_data) << status.message();
  EXPECT_TRUE(contains(status.message(), "expected finite numbers")) << status.message();
  EXPECT_EQ(read_file(setup_.cache), good_);
  EXPECT_EQ(files_in(dir_.path()), 3U);
}

}  // namespace
}  // namespace llm::models
