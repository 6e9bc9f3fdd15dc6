// A checkpoint turned into GGUF computes what the checkpoint does, for every fixture that GGUF can
// express, and is refused for those that it cannot. Where llama.cpp's converter made a file of the
// same checkpoint, ours has the same tensors, and the same metadata but for listed differences.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "core/json.h"
#include "offline/quantize.h"
#include "parity/model_under_test.h"
#include "quant/quant.h"
#include "support/temp_dir.h"

namespace llm::parity {
namespace {

namespace fs = std::filesystem;

Result<offline::QuantizeReport> convert(const fs::path& from, const fs::path& to) {
  return offline::quantize({.input = from.string(),
                            .output = to.string(),
                            .type = "f32",
                            .threads = 2,
                            .on_tensor = {},
                            .should_stop = {}});
}

// What GGUF has no place for, and how the error says so.
const std::map<std::string, std::string> kRefused = {
    {"llama-rope-dynamic", "rope scaling dynamic"},
    {"qwen2-window", "sliding window of layer 0: 0 would become 8"},
    {"gemma2", "query_pre_attn_scalar"},
    {"gemma3", "query_pre_attn_scalar"},
    {"gemma3-multimodal", "query_pre_attn_scalar"},
    {"gemma3-multimodal-resaved", "query_pre_attn_scalar"},
    {"falcon-sequential", "post_attention_layernorm.weight: GGUF has no place for it"},
};

class ConvertedToGguf : public ::testing::TestWithParam<Fixture> {};

TEST_P(ConvertedToGguf, ComputesTheReferenceOrIsRefused) {
  const TempDir folder;
  const fs::path path = folder.path() / "converted.gguf";
  const auto report = convert(fixture_path(GetParam().name), path);
  if (const auto refused = kRefused.find(GetParam().name); refused != kRefused.end()) {
    ASSERT_FALSE(report.has_value());
    EXPECT_NE(report.error().message().find(refused->second), std::string::npos)
        << report.error().message();
    EXPECT_TRUE(fs::is_empty(folder.path()));
    return;
  }
  ASSERT_TRUE(report.has_value()) << report.error().message();
  const Reference reference = read_reference(GetParam().name);
  const auto model = ModelUnderTest::load(path.string(), {});
  ASSERT_NE(model, nullptr);
  const std::vector<float> logits = model->logits(reference.tokens);
  ASSERT_EQ(logits.size(), reference.logits.size());
  EXPECT_LE(difference(logits, reference.logits).largest, 1e-4);
  const std::vector<std::int32_t> prompt(reference.tokens.begin(), reference.tokens.begin() + 8);
  EXPECT_EQ(model->greedy(prompt, reference.greedy.size()), reference.greedy);
}

INSTANTIATE_TEST_SUITE_P(All, ConvertedToGguf, ::testing::ValuesIn(checkpoints()), test_name);

// The checkpoints whose only fault is query_pre_attn_scalar, without it: GGUF then computes what
// the changed directory does.
TEST(ConvertedGemma, WithTheScaleOfItsHeadsComputesTheSame) {
  for (const auto& [name, head_dim] : {std::pair("gemma2", 16), {"gemma3", 8}}) {
    SCOPED_TRACE(name);
    const TempDir folder;
    const fs::path directory = folder.path() / "model";
    fs::copy(fixture_path(name), directory);
    std::ifstream in(directory / "config.json");
    auto config = core::Json::parse(in);
    config["query_pre_attn_scalar"] = head_dim;
    std::ofstream(directory / "config.json") << config;
    const fs::path path = folder.path() / "converted.gguf";
    const auto report = convert(directory, path);
    ASSERT_TRUE(report.has_value()) << report.error().message();
    const std::vector<std::int32_t> tokens = read_reference(name).tokens;
    const auto wanted = ModelUnderTest::load(directory.string(), {});
    const auto found = ModelUnderTest::load(path.string(), {});
    ASSERT_NE(wanted, nullptr);
    ASSERT_NE(found, nullptr);
    EXPECT_LE(difference(found->logits(tokens), wanted->logits(tokens)).largest, 1e-6);
  }
}

// ---- A file of llama.cpp's llama-quantize ----------------------------------------------------

std::string fnv1a(std::span<const float> values) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const std::byte byte : std::as_bytes(values)) {
    hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3ULL;
  }
  return fmt::format("{:016x}", hash);
}

// Nine block types in one file; what the gguf package makes of them is in the .json.
TEST(LlamaQuantizeFile, LoadsAndHasTheValuesThatTheReferenceGives) {
  const fs::path path = fs::path(LLM_SOURCE_DIR) / "tests/fixtures/quants/llama-quantize.gguf";
  const auto file = formats::ModelFile::open(path);
  ASSERT_TRUE(file.has_value()) << file.error().message();
  std::ifstream in(fs::path(path).replace_extension(".json"));
  const auto expected = core::Json::parse(in);
  ASSERT_EQ(file->tensors().size(), expected.size());
  for (const formats::TensorEntry& tensor : file->tensors()) {
    const core::Json& wanted = expected[tensor.name];
    EXPECT_EQ(to_string(tensor.view.dtype), wanted["type"]) << tensor.name;
    std::vector<float> values(static_cast<std::size_t>(*tensor.view.shape.elements()));
    quant::decode_row(tensor.view.dtype, tensor.view.data, values.data(),
                      static_cast<std::int64_t>(values.size()));
    EXPECT_EQ(fnv1a(values), wanted["values_fnv1a"]) << tensor.name;
  }

  // The same values without blocks: the difference is that of inputs rounded to 8 bits.
  const TempDir folder;
  const fs::path plain = folder.path() / "plain.gguf";
  const auto report = offline::quantize({.input = path.string(),
                                         .output = plain.string(),
                                         .type = "f32",
                                         .allow_requantize = true,
                                         .threads = 2,
                                         .on_tensor = {},
                                         .should_stop = {}});
  ASSERT_TRUE(report.has_value()) << report.error().message();
  const auto blocks = ModelUnderTest::load(path.string(), {});
  const auto floats = ModelUnderTest::load(plain.string(), {});
  ASSERT_NE(blocks, nullptr);
  ASSERT_NE(floats, nullptr);
  const std::vector<std::int32_t> tokens = {1, 5, 9, 33, 60, 2, 7, 8};
  EXPECT_LE(difference(blocks->logits(tokens), floats->logits(tokens)).largest, 0.05);
}

// ---- Beside llama.cpp's converter ------------------------------------------------------------

// Heuristics on the model's name, a name of its own for the folder, and a label for leader boards.
const std::set<std::string> kNotWritten = {"general.basename",
                                           "general.finetune",
                                           "general.version",
                                           "general.size_label",
                                           "general.name",  // the test's folder
                                           "tokenizer.ggml.add_sep_token"};
// The fixtures' files were given the name natural for their family, whatever tokenizer.json says.
const std::set<std::string> kOtherValue = {"tokenizer.ggml.pre"};
// Written always, where the converter leaves readers their defaults or does it for some models.
const std::set<std::string> kAlwaysWritten = {"attention.key_length",
                                              "attention.value_length",
                                              "attention.sliding_window_pattern",
                                              "expert_feed_forward_length",
                                              "expert_gating_func",
                                              "expert_shared_feed_forward_length",
                                              "leading_dense_block_count",
                                              "rope.dimension_count",
                                              "rope.freq_base",
                                              "rope.scaling.yarn_beta_fast",
                                              "rope.scaling.yarn_beta_slow",
                                              "vocab_size",
                                              "general.quantization_version",
                                              "general.type",
                                              "tokenizer.ggml.add_bos_token",
                                              "tokenizer.ggml.add_eos_token",
                                              "tokenizer.ggml.eot_token_id"};

struct ConverterCase {
  std::string name;
  /// Tensors and keys (without the architecture) that differ, and why.
  std::set<std::string> tensors;
  std::set<std::string> keys;
};

std::string without_architecture(const std::string& key, const std::string& architecture) {
  return key.starts_with(architecture + ".") ? key.substr(architecture.size() + 1) : key;
}

class BesideTheConverter : public ::testing::TestWithParam<ConverterCase> {
 protected:
  void SetUp() override {
    const fs::path path = folder_.path() / "converted.gguf";
    const auto report = convert(fixture_path(GetParam().name), path);
    ASSERT_TRUE(report.has_value()) << report.error().message();
    ours_ = open(path);
    theirs_ = open(fixture_path(GetParam().name + ".gguf"));
    architecture_ = **ours_->gguf().get_string("general.architecture");
  }
  static std::unique_ptr<formats::ModelFile> open(const fs::path& path) {
    auto file = formats::ModelFile::open(path);
    EXPECT_TRUE(file.has_value()) << file.status().message();
    return std::make_unique<formats::ModelFile>(std::move(file).value());
  }

  TempDir folder_;
  std::unique_ptr<formats::ModelFile> ours_, theirs_;
  std::string architecture_;
};

TEST_P(BesideTheConverter, TensorsAreTheSameBitForBit) {
  for (const formats::TensorEntry& wanted : theirs_->tensors()) {
    if (GetParam().tensors.contains(wanted.name)) continue;
    const formats::TensorEntry* found = ours_->find(wanted.name);
    ASSERT_NE(found, nullptr) << wanted.name;
    EXPECT_EQ(found->view.shape, wanted.view.shape) << wanted.name;
    EXPECT_EQ(found->view.dtype, wanted.view.dtype) << wanted.name;
    ASSERT_EQ(found->view.bytes, wanted.view.bytes) << wanted.name;
    EXPECT_EQ(std::memcmp(found->view.data, wanted.view.data, wanted.view.bytes), 0) << wanted.name;
  }
  for (const formats::TensorEntry& found : ours_->tensors()) {
    EXPECT_NE(theirs_->find(found.name), nullptr) << found.name;
  }
}

TEST_P(BesideTheConverter, MetadataIsTheSameButForListedKeys) {
  for (const auto& [full, wanted] : theirs_->gguf().values()) {
    const std::string key = without_architecture(full, architecture_);
    if (kNotWritten.contains(key) || GetParam().keys.contains(key)) continue;
    ASSERT_TRUE(ours_->gguf().contains(full)) << full;
    EXPECT_EQ(ours_->gguf().stored_type(full), theirs_->gguf().stored_type(full)) << full;
    if (kOtherValue.contains(key)) continue;
    EXPECT_EQ(ours_->gguf().values().find(full)->second, wanted) << full;
  }
  for (const auto& [full, value] : ours_->gguf().values()) {
    const std::string key = without_architecture(full, architecture_);
    EXPECT_TRUE(theirs_->gguf().contains(full) || kAlwaysWritten.contains(key) ||
                GetParam().keys.contains(key))
        << full;
  }
}

const ConverterCase kConverterCases[] = {
    {.name = "llama-gqa"},
    {.name = "llama-bias"},
    {.name = "llama-rope-linear"},
    {.name = "llama-rope-llama3"},
    {.name = "mixtral"},
    {.name = "phi2"},
    {.name = "phi3"},
    {.name = "phi3-longrope"},
    {.name = "phi3-partial"},
    {.name = "qwen2"},
    {.name = "qwen2-tied"},
    // The length after extension, which is what the model is for.
    {.name = "qwen2-yarn", .tensors = {}, .keys = {"context_length"}},
    {.name = "qwen2-moe"},
    {.name = "qwen3"},
    {.name = "qwen3-moe"},
    {.name = "gemma"},
    {.name = "falcon-7b"},
    // Tied: the embedding is the output matrix, a copy that is stored is not used.
    {.name = "falcon-40b", .tensors = {"output.weight"}, .keys = {}},
    {.name = "smollm3"},
    {.name = "stablelm-1.6b"},
    {.name = "stablelm-12b"},
    // A window that is longer than the context.
    {.name = "starcoder2-untied", .tensors = {}, .keys = {"attention.sliding_window"}},
    {.name = "deepseek-v2-lite"},
    {.name = "deepseek-v2"},
    {.name = "deepseek-v3"},
};

INSTANTIATE_TEST_SUITE_P(
    All, BesideTheConverter, ::testing::ValuesIn(kConverterCases),
    [](const ::testing::TestParamInfo<ConverterCase>& test) {
      return test_name({{.name = test.param.name, .reference = {}, .dtype = {}}, test.index});
    });

}  // namespace
}  // namespace llm::parity
