// Synthetic models: complete, repeatable, and the same model in every format.
#include "offline/synth.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "formats/model_file.h"
#include "models/config.h"
#include "offline/model_tensors.h"
#include "offline/synth_shapes.h"
#include "quant/quant.h"
#include "support/temp_dir.h"

namespace llm::offline {
namespace {

namespace fs = std::filesystem;
using formats::FileFormat;

class SynthTest : public testing::Test {
 protected:
  SynthOptions options(DType dtype, FileFormat format, const std::string& name) const {
    return {.architecture = "llama",
            .shape = "llama-tiny",
            .dtype = dtype,
            .format = format,
            .out = (directory_.path() / name).string(),
            .seed = 5,
            .threads = 2};
  }

  formats::ModelFile make(const SynthOptions& wanted) const {
    const Status status = synthesize(wanted);
    EXPECT_TRUE(status.ok()) << status.message();
    auto file = formats::ModelFile::open(wanted.out);
    EXPECT_TRUE(file.has_value()) << file.status().message();
    return std::move(file).value();
  }

  TempDir directory_;
};

std::vector<float> values(const formats::ModelFile& file, std::string_view name) {
  const formats::TensorEntry* entry = file.find(name);
  EXPECT_NE(entry, nullptr) << name;
  std::vector<float> result(static_cast<std::size_t>(entry->view.shape.elements().value()));
  quant::decode_row(entry->view.dtype, entry->view.data, result.data(),
                    static_cast<std::int64_t>(result.size()));
  return result;
}

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST_F(SynthTest, EveryTensorOfTheShapeIsThereInBothFormats) {
  for (const FileFormat format : {FileFormat::safetensors, FileFormat::gguf}) {
    const formats::ModelFile file = make(options(DType::f32, format, "m"));
    const auto config = models::read_config(file);
    ASSERT_TRUE(config.has_value()) << config.status().message();
    EXPECT_EQ(config.value().n_layers, 2);
    const auto tensors = model_tensors(config.value(), format);
    EXPECT_EQ(file.tensors().size(), tensors.size());
    for (const ModelTensor& tensor : tensors) {
      const formats::TensorEntry* entry = file.find(tensor.name);
      ASSERT_NE(entry, nullptr) << tensor.name;
      EXPECT_EQ(entry->view.shape, tensor.shape) << tensor.name;
    }
    fs::remove_all(directory_.path() / "m");
  }
}

TEST_F(SynthTest, GgufHoldsTheSameWeightsWithHeadsInterleaved) {
  const formats::ModelFile hf = make(options(DType::f32, FileFormat::safetensors, "hf"));
  const formats::ModelFile gguf = make(options(DType::f32, FileFormat::gguf, "m.gguf"));
  EXPECT_EQ(values(hf, "model.layers.1.mlp.up_proj.weight"), values(gguf, "blk.1.ffn_up.weight"));
  EXPECT_EQ(values(hf, "model.norm.weight"), values(gguf, "output_norm.weight"));
  // Rotary pairs: row i and i + 32 of a head of 64 become rows 2i and 2i + 1.
  const auto halves = values(hf, "model.layers.0.self_attn.q_proj.weight");
  const auto pairs = values(gguf, "blk.0.attn_q.weight");
  constexpr std::size_t kCols = 256;
  const auto row = [](const std::vector<float>& matrix, std::size_t index) {
    const auto first = matrix.begin() + static_cast<std::ptrdiff_t>(index * kCols);
    return std::vector<float>(first, first + kCols);
  };
  EXPECT_EQ(row(halves, 64 + 5), row(pairs, 64 + 10));
  EXPECT_EQ(row(halves, 64 + 37), row(pairs, 64 + 11));
}

TEST_F(SynthTest, BytesDependOnTheSeedAndNotOnTheThreads) {
  SynthOptions first = options(DType::bf16, FileFormat::gguf, "a.gguf");
  SynthOptions second = options(DType::bf16, FileFormat::gguf, "b.gguf");
  second.threads = 1;
  SynthOptions other = options(DType::bf16, FileFormat::gguf, "c.gguf");
  other.seed = 6;
  for (const SynthOptions& wanted : {first, second, other}) {
    ASSERT_TRUE(synthesize(wanted).ok());
  }
  EXPECT_EQ(content(first.out), content(second.out));
  EXPECT_NE(content(first.out), content(other.out));
}

TEST_F(SynthTest, EveryTypeThatCanBeEncodedGivesWeightsOfTheRightSize) {
  for (const DType dtype :
       {DType::f16, DType::bf16, DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0,
        DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k}) {
    if (!quant::can_encode(dtype)) continue;
    const formats::ModelFile file = make(options(dtype, FileFormat::gguf, "m.gguf"));
    EXPECT_EQ(file.find("blk.0.ffn_up.weight")->view.dtype, dtype);
    EXPECT_EQ(file.find("blk.0.ffn_norm.weight")->view.dtype, DType::f32);
    const std::vector<float> weights = values(file, "blk.0.ffn_up.weight");
    double squares = 0;
    for (const float weight : weights)
      squares += static_cast<double>(weight) * static_cast<double>(weight);
    // Deviation 1 / sqrt(256), up to the error of the coarsest type.
    EXPECT_NEAR(std::sqrt(squares / static_cast<double>(weights.size())), 1.0 / 16, 0.006)
        << to_string(dtype);
  }
}

TEST(SynthShapes, AreConsistentAndOfKnownArchitectures) {
  for (const SynthShape& shape : synth_shapes()) {
    EXPECT_EQ(shape.n_heads % shape.n_kv_heads, 0) << shape.name;
    EXPECT_EQ(shape.hidden_size, shape.n_heads * shape.head_dim) << shape.name;
    EXPECT_NE(models::find_spec_by_model_type(shape.architecture), nullptr) << shape.name;
  }
}

TEST_F(SynthTest, WrongOptionsAreErrorsThatListTheChoices) {
  SynthOptions wanted = options(DType::f32, FileFormat::gguf, "m.gguf");
  wanted.shape = "llama-9000b";
  EXPECT_NE(synthesize(wanted).message().find("tinyllama-1.1b"), std::string::npos);
  wanted.shape = "mistral-7b";  // of another architecture
  EXPECT_FALSE(synthesize(wanted).ok());
  wanted.architecture = "gpt5";
  EXPECT_NE(synthesize(wanted).message().find("llama, mistral"), std::string::npos);
  EXPECT_FALSE(synthesize(options(DType::q4_0, FileFormat::safetensors, "hf")).ok());
  EXPECT_FALSE(synthesize(options(DType::i32, FileFormat::gguf, "m.gguf")).ok());
  wanted = options(DType::q4_k, FileFormat::gguf, "m.gguf");
  wanted.shape = "smollm-135m";  // rows of 576 hold no whole number of blocks of 256
  EXPECT_NE(synthesize(wanted).message().find("expected a multiple of 256"), std::string::npos);
  EXPECT_FALSE(fs::exists(directory_.path() / "m.gguf"));
  wanted = options(DType::f32, FileFormat::gguf, "no/such/folder/m.gguf");
  EXPECT_FALSE(synthesize(wanted).ok());
}

}  // namespace
}  // namespace llm::offline
