// quantize(): what is in the file, from both kinds of input; that nothing is left after an error.
#include "offline/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "core/mapped_file.h"
#include "formats/model_file.h"
#include "formats/tensor_writer.h"
#include "offline/quant_mix.h"
#include "offline/synth.h"
#include "quant/quant.h"
#include "support/temp_dir.h"

namespace llm::offline {
namespace {

namespace fs = std::filesystem;
using formats::FileFormat;
using formats::GgufMetadata;
using formats::ModelFile;
using formats::TensorEntry;

const fs::path kFixtures = fs::path(LLM_SOURCE_DIR) / "tests/fixtures/models";

ModelFile open(const fs::path& path) {
  auto file = ModelFile::open(path);
  EXPECT_TRUE(file.has_value()) << file.status().message();
  return std::move(file).value();
}

std::string bytes_of(const fs::path& path) {
  const auto file = core::MappedFile::open(path);
  EXPECT_TRUE(file.has_value());
  return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
}

class QuantizeTest : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return directory_.path() / name; }

  QuantizeOptions options(const fs::path& input, const std::string& type) const {
    QuantizeOptions options;
    options.input = input.string();
    options.output = path("out.gguf").string();
    options.type = type;
    options.threads = 2;
    return options;
  }

  QuantizeReport ok(const QuantizeOptions& wanted) const {
    const auto report = quantize(wanted);
    EXPECT_TRUE(report.has_value()) << report.status().message();
    return report ? *report : QuantizeReport{};
  }

  /// The message; nothing may be left in the directory but what was there.
  std::string fails(const QuantizeOptions& wanted) const {
    const auto before = entries();
    const auto report = quantize(wanted);
    EXPECT_EQ(entries(), before);
    return report ? "done" : report.error().message();
  }

  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory_.path()), fs::directory_iterator()));
  }

  /// A model with rows long enough for every type; made once per test.
  fs::path synthetic(DType dtype = DType::f32, FileFormat format = FileFormat::gguf) const {
    const fs::path out = path(format == FileFormat::gguf ? "model.gguf" : "model");
    const Status status = synthesize({.architecture = "llama",
                                      .shape = "llama-tiny",
                                      .dtype = dtype,
                                      .format = format,
                                      .out = out.string(),
                                      .seed = 3,
                                      .threads = 2});
    EXPECT_TRUE(status.ok()) << status.message();
    return out;
  }

  TempDir directory_;
};

std::vector<float> values_of(const TensorEntry& entry) {
  std::vector<float> values(static_cast<std::size_t>(entry.view.shape.elements().value()));
  quant::decode_row(entry.view.dtype, entry.view.data, values.data(),
                    static_cast<std::int64_t>(values.size()));
  return values;
}

bool same_bytes(const TensorEntry& a, const TensorEntry& b) {
  return a.view.dtype == b.view.dtype && a.view.shape == b.view.shape &&
         a.view.bytes == b.view.bytes && std::memcmp(a.view.data, b.view.data, a.view.bytes) == 0;
}

class QuantizeEveryType : public QuantizeTest,
                          public testing::WithParamInterface<std::string_view> {};

TEST_P(QuantizeEveryType, WritesWhatTheEncodersMakeOfTheRows) {
  const fs::path model = synthetic();
  const std::string type(GetParam());
  QuantizeOptions wanted = options(model, type);
  std::vector<QuantizedTensor> seen;
  wanted.on_tensor = [&](const QuantizedTensor& tensor) { seen.push_back(tensor); };
  const QuantizeReport report = ok(wanted);
  const ModelFile source = open(model);
  const ModelFile found = open(wanted.output);
  ASSERT_EQ(found.tensors().size(), source.tensors().size());
  ASSERT_EQ(seen.size(), source.tensors().size());
  const DType base = (*find_quant_mix(type))->base;
  std::size_t of_base = 0;
  std::size_t bytes = 0;
  std::uint64_t elements = 0;
  for (std::size_t t = 0; t < found.tensors().size(); ++t) {
    const TensorEntry& tensor = found.tensors()[t];
    EXPECT_EQ(tensor.name, source.tensors()[t].name);
    EXPECT_EQ(tensor.name, seen[t].name);
    EXPECT_EQ(tensor.view.dtype, seen[t].to);
    const bool matrix = tensor.view.shape.rank() == 2;
    if (type != "f32") {
      EXPECT_EQ(matrix, tensor.view.dtype != DType::f32) << tensor.name;
    }
    of_base += tensor.view.dtype == base ? 1 : 0;
    bytes += tensor.view.bytes;
    const std::vector<float> values = values_of(source.tensors()[t]);
    elements += values.size();
    std::vector<std::byte> encoded(row_bytes(tensor.view.dtype, values.size()));
    quant::encode_row(tensor.view.dtype, values.data(), encoded.data(),
                      static_cast<std::int64_t>(values.size()));
    EXPECT_EQ(std::memcmp(encoded.data(), tensor.view.data, encoded.size()), 0) << tensor.name;
  }
  EXPECT_GE(of_base, 8U);
  EXPECT_EQ(report.tensor_bytes, bytes);
  EXPECT_EQ(report.elements, elements);
  EXPECT_EQ(report.fallbacks, 0U);
  EXPECT_EQ(report.output_bytes, fs::file_size(wanted.output));
  EXPECT_EQ(**found.gguf().get_int("general.file_type"), (*find_quant_mix(type))->file_type);
  EXPECT_EQ(**found.gguf().get_int("general.quantization_version"), 2);
}

std::vector<std::string_view> all_types() {
  std::vector<std::string_view> names;
  for (const QuantMix& mix : quant_mixes()) names.push_back(mix.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, QuantizeEveryType, testing::ValuesIn(all_types()),
                         [](const auto& test) { return std::string(test.param); });

TEST_F(QuantizeTest, BothFormatsOfAModelGiveTheSameTensors) {
  QuantizeOptions from_gguf = options(synthetic(DType::bf16), "q4_k_m");
  ok(from_gguf);
  QuantizeOptions from_directory =
      options(synthetic(DType::bf16, FileFormat::safetensors), "q4_k_m");
  from_directory.output = path("other.gguf").string();
  ok(from_directory);
  const ModelFile a = open(from_gguf.output);
  const ModelFile b = open(from_directory.output);
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (const TensorEntry& tensor : a.tensors()) {
    const TensorEntry* other = b.find(tensor.name);
    ASSERT_NE(other, nullptr) << tensor.name;
    // The GGUF file has its norms in f32, the directory rounds them to bf16.
    if (tensor.view.shape.rank() == 2) {
      EXPECT_TRUE(same_bytes(tensor, *other)) << tensor.name;
    }
  }
}

TEST_F(QuantizeTest, TheSameBytesForAnyNumberOfThreads) {
  QuantizeOptions wanted = options(synthetic(), "q4_k_m");
  wanted.threads = 1;
  ok(wanted);
  const std::string one = bytes_of(wanted.output);
  for (const int threads : {2, 5}) {
    wanted.threads = threads;
    wanted.output = path(std::to_string(threads) + ".gguf").string();
    ok(wanted);
    EXPECT_EQ(bytes_of(wanted.output), one) << threads;
  }
}

TEST_F(QuantizeTest, QuantisedWeightsAreNotQuantisedAgainUnasked) {
  QuantizeOptions wanted = options(synthetic(DType::q8_0), "q4_0");
  EXPECT_EQ(fails(wanted),
            wanted.input +
                ": tensor token_embd.weight is of type q8_0 already; quantising it again loses "
                "more than from the original weights (--allow-requantize does it nevertheless)");
  wanted.allow_requantize = true;
  ok(wanted);
  EXPECT_EQ(open(wanted.output).find("blk.0.attn_q.weight")->view.dtype, DType::q4_0);
}

TEST_F(QuantizeTest, WeightsOfTheTypeAlreadyAreCarriedOver) {
  const fs::path model = synthetic(DType::q4_k);
  QuantizeOptions wanted = options(model, "q4_k");
  wanted.pure = true;
  ok(wanted);
  const ModelFile source = open(model);
  const ModelFile found = open(wanted.output);
  for (const TensorEntry& tensor : source.tensors()) {
    EXPECT_TRUE(same_bytes(tensor, *found.find(tensor.name))) << tensor.name;
  }
}

TEST_F(QuantizeTest, PartsOfASplitModelAreJoined) {
  const QuantizeOptions wanted = options(kFixtures / "llama-gqa-split-00001-of-00002.gguf", "f32");
  ok(wanted);
  const ModelFile found = open(wanted.output);
  const ModelFile whole = open(kFixtures / "llama-gqa.gguf");
  ASSERT_EQ(found.tensors().size(), whole.tensors().size());
  for (const TensorEntry& tensor : whole.tensors()) {
    EXPECT_TRUE(same_bytes(tensor, *found.find(tensor.name))) << tensor.name;
  }
  const ModelFile parts = open(wanted.input);
  for (const auto& [key, value] : parts.gguf().values()) {
    if (key.starts_with("split.") || key.starts_with("general.file_type")) continue;
    ASSERT_TRUE(found.gguf().contains(key)) << key;
    EXPECT_EQ(found.gguf().values().find(key)->second, value) << key;
    EXPECT_EQ(found.gguf().stored_type(key), parts.gguf().stored_type(key)) << key;
  }
  EXPECT_FALSE(found.gguf().contains("split.count"));
}

TEST_F(QuantizeTest, RowsThatAreTooShortForTheTypeAreReported) {
  const QuantizeOptions wanted = options(kFixtures / "qwen2", "q4_k_m");  // rows of 32 and 48
  const QuantizeReport report = ok(wanted);
  const ModelFile found = open(wanted.output);
  EXPECT_EQ(found.find("blk.0.attn_q.weight")->view.dtype, DType::q5_0);
  EXPECT_EQ(found.find("blk.0.ffn_down.weight")->view.dtype, DType::f16);
  EXPECT_EQ(found.find("output.weight")->view.dtype, DType::q8_0);
  EXPECT_EQ(found.find("blk.0.attn_q.bias")->view.dtype, DType::f32);
  EXPECT_GT(report.fallbacks, 0U);
}

TEST_F(QuantizeTest, AnOutputThatExistsIsKeptUnlessForced) {
  QuantizeOptions wanted = options(kFixtures / "llama-gqa", "q8_0");
  directory_.write("out.gguf", "precious");
  EXPECT_EQ(fails(wanted), wanted.output + ": exists already; --force overwrites it");
  EXPECT_EQ(bytes_of(wanted.output), "precious");
  wanted.overwrite = true;
  ok(wanted);
  EXPECT_NE(open(wanted.output).find("output.weight"), nullptr);
}

TEST_F(QuantizeTest, AnOutputThatAppearsMeanwhileIsKept) {
  QuantizeOptions wanted = options(kFixtures / "llama-gqa", "q8_0");
  wanted.on_tensor = [&](const QuantizedTensor& tensor) {
    if (tensor.number == tensor.count) directory_.write("out.gguf", "precious");
  };
  const auto report = quantize(wanted);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().message(), wanted.output + ": exists already; --force overwrites it");
  EXPECT_EQ(bytes_of(wanted.output), "precious");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(QuantizeTest, TheInputIsNeverOverwritten) {
  const fs::path model = synthetic(DType::f16);
  QuantizeOptions wanted = options(model, "q8_0");
  wanted.overwrite = true;
  wanted.output = (model.parent_path() / "." / "model.gguf").string();
  EXPECT_EQ(fails(wanted), wanted.output + ": the output is also the input");

  wanted = options(path("copy"), "q8_0");
  fs::copy(kFixtures / "llama-gqa", wanted.input);
  wanted.overwrite = true;
  wanted.output = wanted.input + "/config.json";
  EXPECT_EQ(fails(wanted), wanted.output + ": a file of the input would be overwritten");
}

TEST_F(QuantizeTest, AnOutputThatIsNoFileIsRefused) {
  QuantizeOptions wanted = options(kFixtures / "llama-gqa", "q8_0");
  wanted.overwrite = true;
  wanted.output = directory_.path().string();
  EXPECT_EQ(fails(wanted),
            wanted.output + ": expected a file to write, found something else there");
  wanted.output = "/dev/null";
  EXPECT_EQ(fails(wanted), "/dev/null: expected a file to write, found something else there");
  wanted.output = path("missing/out.gguf").string();
  EXPECT_NE(fails(wanted).find("No such file or directory"), std::string::npos);
}

TEST_F(QuantizeTest, AStopLeavesNothingBehind) {
  QuantizeOptions wanted = options(synthetic(), "q4_k_m");
  int asked = 0;
  wanted.should_stop = [&] { return ++asked > 3; };
  const auto before = entries();
  const auto report = quantize(wanted);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code(), StatusCode::cancelled);
  EXPECT_EQ(entries(), before);
}

// A fixture with one value changed.
fs::path with_value(const TempDir& directory, const std::string& name, const std::string& tensor,
                    std::size_t element, float value) {
  const fs::path copy = directory.path() / name;
  fs::copy(kFixtures / name, copy);
  std::string bytes = bytes_of(copy / "model.safetensors");
  std::size_t offset = 0;
  {
    const ModelFile file = open(copy);
    const TensorEntry* entry = file.find(tensor);
    EXPECT_NE(entry, nullptr);
    const std::byte* begin = file.files()[0].bytes().data();
    offset = static_cast<std::size_t>(entry->view.data - begin) +
             element * dtype_info(entry->view.dtype).block_bytes;
    std::byte encoded[4];
    quant::encode_row(entry->view.dtype, &value, encoded, 1);
    std::memcpy(bytes.data() + offset, encoded, dtype_info(entry->view.dtype).block_bytes);
  }
  directory.write(fs::path(name) / "model.safetensors", bytes);
  return copy;
}

TEST_F(QuantizeTest, ValuesThatAreNotFiniteAreRefusedByName) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const fs::path model =
      with_value(directory_, "llama-gqa", "model.layers.1.mlp.up_proj.weight", 5 * 40 + 3, kNan);
  for (const char* type : {"f32", "q8_0", "q4_k_m"}) {
    const std::string message = fails(options(model, type));
    EXPECT_EQ(message, model.string() +
                           ": tensor model.layers.1.mlp.up_proj.weight: expected finite numbers, "
                           "found NaN or infinity");
  }
  const fs::path experts =
      with_value(directory_, "mixtral", "model.layers.0.block_sparse_moe.experts.6.w3.weight",
                 2 * 32 + 1, kInfinity);
  EXPECT_EQ(fails(options(experts, "q8_0")),
            experts.string() +
                ": tensor model.layers.0.block_sparse_moe.experts.6.w3.weight: expected finite "
                "numbers, found NaN or infinity");
}

TEST_F(QuantizeTest, ValuesBeyondTheRangeOfTheTypeAreRefused) {
  const fs::path model =
      with_value(directory_, "llama-gqa", "model.layers.0.mlp.up_proj.weight", 7, 1e6F);
  EXPECT_NE(fails(options(model, "f16")).find("values too large for f16"), std::string::npos);
  ok(options(model, "bf16"));
}

TEST_F(QuantizeTest, BrokenInputIsAnError) {
  EXPECT_NE(fails(options(path("absent"), "q8_0")).find("no such file"), std::string::npos);
  const std::string whole = bytes_of(kFixtures / "llama-gqa.gguf");
  const fs::path cut = directory_.write("cut.gguf", whole.substr(0, whole.size() - 100));
  EXPECT_NE(fails(options(cut, "q8_0")).find("cut.gguf"), std::string::npos);
  // A tensor that the configuration has no place for.
  const fs::path model = path("tied");
  fs::copy(kFixtures / "llama-gqa", model);
  fs::copy(kFixtures / "llama-bias/model.safetensors", model / "model.safetensors",
           fs::copy_options::overwrite_existing);
  EXPECT_NE(fails(options(model, "q8_0")).find("tensor "), std::string::npos);
  EXPECT_NE(fails(options(kFixtures / "llama-gqa", "q9")).find("expected one of f32"),
            std::string::npos);
}

// Tensors of integers, of no elements, and of one.
TEST_F(QuantizeTest, WhatIsNoWeightIsCarriedOver) {
  const ModelFile source = open(kFixtures / "llama-gqa.gguf");
  std::vector<formats::TensorDeclaration> declared;
  for (const TensorEntry& tensor : source.tensors()) {
    declared.push_back({tensor.name, tensor.view.dtype, tensor.view.shape});
  }
  declared.push_back({"ids.weight", DType::i32, {2, 3}});
  declared.push_back({"empty.weight", DType::f32, {4, 0}});
  declared.push_back({"one.weight", DType::f16, {1}});
  auto writer = formats::TensorFileWriter::create_gguf(path("more.gguf"), declared, source.gguf());
  ASSERT_TRUE(writer.has_value()) << writer.error().message();
  for (const TensorEntry& tensor : source.tensors()) {
    ASSERT_TRUE(writer->write(tensor.name, {tensor.view.data, tensor.view.bytes}).ok());
  }
  const std::int32_t ids[6] = {1, -2, 3, -4, 5, 0x7fc00000};
  const std::uint16_t one = 0x3c00;
  ASSERT_TRUE(writer->write("ids.weight", std::as_bytes(std::span(ids))).ok());
  ASSERT_TRUE(writer->write("one.weight", std::as_bytes(std::span(&one, 1))).ok());
  ASSERT_TRUE(writer->finish().ok());

  const QuantizeOptions wanted = options(path("more.gguf"), "q4_0");
  ok(wanted);
  const ModelFile before = open(wanted.input);
  const ModelFile after = open(wanted.output);
  for (const char* name : {"ids.weight", "empty.weight", "one.weight"}) {
    const TensorEntry* found = after.find(name);
    ASSERT_NE(found, nullptr) << name;
    EXPECT_EQ(found->view.shape, before.find(name)->view.shape) << name;
    if (found->view.bytes > 0 || before.find(name)->view.bytes > 0) {
      EXPECT_TRUE(same_bytes(*found, *before.find(name))) << name;
    }
  }
}

TEST_F(QuantizeTest, AModelWithoutTokenizerHasNoVocabulary) {
  const QuantizeOptions wanted = options(kFixtures / "llama-mha", "q8_0");
  const QuantizeReport report = ok(wanted);
  ASSERT_EQ(report.warnings.size(), 1U);
  EXPECT_EQ(report.warnings[0], "there is no tokenizer.json: the file will have no vocabulary");
  EXPECT_EQ(**open(wanted.output).gguf().get_string("tokenizer.ggml.model"), "none");
}

TEST_F(QuantizeTest, EndTokensOfAllFilesFindAPlace) {
  // generation_config.json of this fixture names two.
  const QuantizeOptions wanted = options(kFixtures / "qwen2", "f32");
  ok(wanted);
  const ModelFile found = open(wanted.output);
  EXPECT_EQ(**found.gguf().get_int("tokenizer.ggml.eos_token_id"), 317);
  EXPECT_EQ(**found.gguf().get_int("tokenizer.ggml.eot_token_id"), 318);
}

}  // namespace
}  // namespace llm::offline
