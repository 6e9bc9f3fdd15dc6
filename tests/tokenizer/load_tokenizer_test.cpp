#include "engine/load_tokenizer.h"

#include <gtest/gtest.h>

#include "formats/tensor_writer.h"
#include "support/temp_dir.h"

namespace llm::engine {
namespace {

namespace fs = std::filesystem;
using formats::GgufArray;
using formats::GgufMetadata;

const fs::path kModels = fs::path(LLM_SOURCE_DIR) / "tests/fixtures/models";

Result<std::unique_ptr<tokenizer::Tokenizer>> load(const fs::path& path) {
  auto file = formats::ModelFile::open(path);
  if (!file) return file.error();
  return load_tokenizer(*file);
}

std::string error_of(const fs::path& path) {
  const auto result = load(path);
  return result ? "accepted" : result.error().message();
}

GgufMetadata vocabulary(const std::string& architecture = "llama") {
  GgufMetadata metadata;
  EXPECT_TRUE(metadata.insert("general.architecture", architecture));
  EXPECT_TRUE(metadata.insert("tokenizer.ggml.model", std::string("llama")));
  EXPECT_TRUE(metadata.insert("tokenizer.ggml.tokens",
                              GgufArray(std::vector<std::string>{"<unk>", "<s>", "</s>", "\u2581",
                                                                 "a", "\u2581a", "<0x0A>"})));
  EXPECT_TRUE(metadata.insert("tokenizer.ggml.scores",
                              GgufArray(std::vector<double>{0, 0, 0, -3, -4, -1, 0})));
  EXPECT_TRUE(metadata.insert("tokenizer.ggml.token_type",
                              GgufArray(std::vector<std::int64_t>{2, 3, 3, 1, 1, 1, 6})));
  return metadata;
}

fs::path write(const TempDir& folder, const GgufMetadata& metadata) {
  const fs::path path = folder.path() / "model.gguf";
  auto writer = formats::TensorFileWriter::create_gguf(path, {}, metadata);
  EXPECT_TRUE(writer.has_value()) << writer.error().message();
  EXPECT_TRUE(writer->finish().ok());
  return path;
}

// The same vocabulary through both formats.
TEST(LoadTokenizer, DirectoryAndGgufAgree) {
  const auto directory = load(kModels / "llama-gqa");
  const auto gguf = load(kModels / "llama-gqa.gguf");
  ASSERT_TRUE(directory.has_value()) << directory.error().message();
  ASSERT_TRUE(gguf.has_value()) << gguf.error().message();
  EXPECT_EQ((*directory)->vocab_size(), (*gguf)->vocab_size());
  for (const char* text :
       {"", "Hello world, it's 12345!", " caf\u00E9 \u4F60\u597D\n\n  x", "a\tb"}) {
    const tokenizer::EncodeOptions plain{.add_special = false};
    EXPECT_EQ(*(*directory)->encode(text, plain), *(*gguf)->encode(text, plain)) << text;
  }
}

TEST(LoadTokenizer, GgufMetadata) {
  const TempDir folder;
  GgufMetadata metadata = vocabulary();
  EXPECT_TRUE(metadata.insert("general.name", std::string("My Phi-3 mini")));
  EXPECT_TRUE(metadata.insert("tokenizer.ggml.bos_token_id", std::int64_t{2}));
  EXPECT_TRUE(metadata.insert("tokenizer.ggml.add_eos_token", true));
  EXPECT_TRUE(metadata.insert("tokenizer.ggml.eos_token_id", std::int64_t{1}));
  const auto loaded = load(write(folder, metadata));
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message();
  // BOS 2, the space behind </s> swallowed as in Phi-3, EOS 1.
  EXPECT_EQ(*(*loaded)->encode("a</s> a\n"), std::vector<std::int32_t>({2, 5, 2, 5, 6, 1}));
}

// The same where only the architecture says so, and for other spellings of the name.
TEST(LoadTokenizer, Phi3ByArchitectureOrName) {
  for (const auto& [architecture, name] :
       {std::pair{"phi3", "Some chat"}, {"llama", "Phi 3 Mini 4k Instruct"}, {"llama", "Phi3"}}) {
    const TempDir folder;
    GgufMetadata metadata = vocabulary(architecture);
    EXPECT_TRUE(metadata.insert("general.name", std::string(name)));
    const auto loaded = load(write(folder, metadata));
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message();
    EXPECT_EQ(*(*loaded)->encode("a</s> a", {.add_special = false}),
              std::vector<std::int32_t>({5, 2, 5}))
        << name;
  }
}

TEST(LoadTokenizer, GgufErrors) {
  const TempDir folder;
  GgufMetadata metadata;
  EXPECT_TRUE(metadata.insert("general.architecture", std::string("llama")));
  const fs::path path = folder.path() / "model.gguf";
  EXPECT_EQ(error_of(write(folder, metadata)),
            path.string() + ": tokenizer.ggml.model is missing: the file has no tokenizer");
  EXPECT_TRUE(metadata.insert("tokenizer.ggml.model", std::string("gpt2")));
  EXPECT_EQ(error_of(write(folder, metadata)),
            path.string() + ": tokenizer.ggml.tokens is missing");
  EXPECT_TRUE(metadata.insert("tokenizer.ggml.tokens", GgufArray(std::vector<std::string>{"a"})));
  EXPECT_EQ(error_of(write(folder, metadata)),
            path.string() + ": tokenizer.ggml.merges is missing");
  EXPECT_TRUE(metadata.insert("tokenizer.ggml.merges", GgufArray(std::vector<std::string>{})));
  EXPECT_TRUE(metadata.insert("tokenizer.ggml.pre", std::string("gpt-99")));
  EXPECT_EQ(error_of(write(folder, metadata)),
            path.string() + ": GGUF vocabulary: tokenizer.ggml.pre \"gpt-99\" is not known");

  GgufMetadata wrong = vocabulary();
  EXPECT_TRUE(wrong.insert("tokenizer.ggml.bos_token_id", std::int64_t{-7}));
  EXPECT_EQ(error_of(write(folder, wrong)),
            path.string() + ": tokenizer.ggml.bos_token_id: -7 is not a token id");
}

TEST(LoadTokenizer, DirectoryErrors) {
  const TempDir folder;
  folder.write("config.json", R"({"model_type": "llama"})");
  const auto writer = [&] {
    auto file =
        formats::TensorFileWriter::create_safetensors(folder.path() / "model.safetensors", {}, {});
    return file && file->finish().ok();
  };
  ASSERT_TRUE(writer());
  EXPECT_EQ(error_of(folder.path()), folder.path().string() + ": there is no tokenizer.json");
  folder.write("tokenizer.json", "{}");
  EXPECT_EQ(error_of(folder.path()),
            folder.path().string() + ": tokenizer.json: model: expected an object, found null");
}

}  // namespace
}  // namespace llm::engine
