// Opening models as they lie on disk: directories, shards, splits, and what may be wrong with them.
#include "formats/model_file.h"

#include <gtest/gtest.h>

#include <string>

#include "formats/file_builder.h"
#include "formats/optional_files.h"
#include "support/temp_dir.h"

namespace llm::formats {
namespace {

/// A safetensors file with one-byte tensors of the given names.
std::string letters(const std::vector<std::string>& names) {
  std::string header = "{";
  for (std::size_t n = 0; n < names.size(); ++n) {
    header += (n == 0 ? "\"" : ",\"") + names[n] +
              R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(n) + "," +
              std::to_string(n + 1) + "]}";
  }
  return safetensors_file(header + "}", std::string(names.size(), 'x'));
}

std::string index_of(const std::string& weight_map) {
  return R"({"metadata":{"total_size":2},"weight_map":)" + weight_map + "}";
}

void expect_error(const std::filesystem::path& path, StatusCode code,
                  const std::vector<std::string>& mentions) {
  const auto model = ModelFile::open(path);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code(), code) << model.error().message();
  for (const std::string& text : mentions) {
    EXPECT_NE(model.error().message().find(text), std::string::npos)
        << "\"" << model.error().message() << "\" should mention " << text;
  }
}

constexpr auto kCorrupt = StatusCode::corrupt_data;

TEST(ModelDirectory, SingleFile) {
  const TempDir dir;
  dir.write("config.json", R"({"model_type":"llama"})");
  const auto file = dir.write("model.safetensors", letters({"a", "b"}));
  dir.write("consolidated.safetensors", "not looked at");
  for (const auto& path : {dir.path(), file}) {
    const auto model = ModelFile::open(path);
    ASSERT_TRUE(model) << model.error().message();
    EXPECT_EQ(model->format(), FileFormat::safetensors);
    EXPECT_EQ(model->path(), path);
    EXPECT_EQ(model->directory(), dir.path());
    EXPECT_EQ(model->tensors().size(), 2u);
    ASSERT_NE(model->find("b"), nullptr);
    EXPECT_EQ(model->find("b")->name, "b");
    EXPECT_EQ(model->find("c"), nullptr);
    EXPECT_EQ(model->config()["model_type"], "llama");
    EXPECT_EQ(model->tensor_bytes(), 2u);
  }
}

TEST(ModelDirectory, LookupsSurviveAMove) {
  const TempDir dir;
  dir.write("config.json", "{}");
  dir.write("model.safetensors", letters({"a"}));
  auto model = ModelFile::open(dir.path());
  ASSERT_TRUE(model) << model.error().message();
  const ModelFile moved = std::move(*model);
  ASSERT_NE(moved.find("a"), nullptr);
  EXPECT_EQ(static_cast<char>(*moved.find("a")->view.data), 'x');
}

TEST(ModelDirectory, CompanionFiles) {
  const TempDir dir;
  dir.write("config.json", "{}");
  dir.write("model.safetensors", letters({"a"}));
  dir.write("good.json", R"({"eos_token_id":[1,2]})");
  dir.write("broken.json", R"({"eos_token_id":)");
  const auto model = ModelFile::open(dir.path());
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ((*model->companion_json("good.json"))["eos_token_id"][1], 2);
  EXPECT_TRUE(model->companion_json("absent.json")->is_null());
  EXPECT_EQ(*model->companion_text("absent.json"), "");
  EXPECT_EQ(*model->companion_text("broken.json"), R"({"eos_token_id":)");
  const auto broken = model->companion_json("broken.json");
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message().find("broken.json"), std::string::npos);
}

TEST(ModelDirectory, TensorsAloneNeedNoConfig) {
  const TempDir dir;
  const auto file = dir.write("values.safetensors", letters({"a"}));
  EXPECT_TRUE(ModelFile::open_tensors(file));
  expect_error(file, StatusCode::not_found, {"config.json"});
}

TEST(ModelDirectory, WhatCanBeMissingOrWrong) {
  const TempDir dir;
  expect_error(dir.path() / "absent", StatusCode::not_found, {"absent"});
  expect_error(dir.path(), StatusCode::not_found, {"model.safetensors", dir.path().string()});
  const auto weights = dir.write("model.safetensors", letters({"a"}));
  expect_error(dir.path(), StatusCode::not_found, {"config.json"});
  dir.write("config.json", "[1]");
  expect_error(dir.path(), kCorrupt, {"config.json", "expected a JSON object", "array"});
  dir.write("config.json", R"({"a":1,"a":2})");
  expect_error(dir.path(), kCorrupt, {"config.json", "duplicate key \"a\""});
  dir.write("config.json", "{}");
  dir.write("model.safetensors", letters({"a"}).substr(0, 20));
  expect_error(dir.path(), kCorrupt, {"model.safetensors", "header length"});
  expect_error(dir.write("notes.txt", "hello"), StatusCode::invalid_argument,
               {"notes.txt", ".safetensors", ".gguf"});
}

class ShardedModel : public testing::Test {
 protected:
  void SetUp() override {
    dir_.write("config.json", "{}");
    dir_.write("one.safetensors", letters({"a", "b"}));
    dir_.write("two.safetensors", letters({"c"}));
    write_map(R"({"a":"one.safetensors","b":"one.safetensors","c":"two.safetensors"})");
  }
  void write_map(const std::string& weight_map) {
    dir_.write("model.safetensors.index.json", index_of(weight_map));
  }
  TempDir dir_;
};

TEST_F(ShardedModel, Opens) {
  dir_.write("three.safetensors", "not named by the index, not looked at");
  const auto model = ModelFile::open(dir_.path());
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(model->files().size(), 2u);
  ASSERT_NE(model->find("c"), nullptr);
  EXPECT_EQ(model->files()[model->find("c")->file].path().filename(), "two.safetensors");
}

TEST_F(ShardedModel, FollowsLinksAsDownloadCachesMakeThem) {
  const TempDir blobs;
  const auto blob = blobs.write("blob", letters({"c"}));
  std::filesystem::remove(dir_.path() / "two.safetensors");
  std::filesystem::create_symlink(blob, dir_.path() / "two.safetensors");
  EXPECT_TRUE(ModelFile::open(dir_.path()));
}

TEST_F(ShardedModel, ShardIsMissing) {
  std::filesystem::remove(dir_.path() / "two.safetensors");
  expect_error(dir_.path(), StatusCode::not_found, {"two.safetensors"});
}

TEST_F(ShardedModel, ShardLacksATensor) {
  dir_.write("one.safetensors", letters({"a"}));
  expect_error(dir_.path(), kCorrupt, {"index.json", "\"b\"", "one.safetensors"});
}

TEST_F(ShardedModel, TensorInTheOtherShard) {
  write_map(R"({"a":"one.safetensors","b":"two.safetensors","c":"two.safetensors"})");
  expect_error(dir_.path(), kCorrupt, {"\"b\"", "two.safetensors", "one.safetensors"});
}

TEST_F(ShardedModel, TensorThatTheIndexDoesNotList) {
  write_map(R"({"a":"one.safetensors","c":"two.safetensors"})");
  expect_error(dir_.path(), kCorrupt, {"\"b\"", "not listed"});
}

TEST_F(ShardedModel, TensorInTwoShards) {
  dir_.write("two.safetensors", letters({"c", "a"}));
  expect_error(dir_.path(), kCorrupt, {"\"a\"", "one.safetensors", "two.safetensors"});
}

TEST_F(ShardedModel, OneFileUnderTwoNames) {
  std::filesystem::create_symlink("one.safetensors", dir_.path() / "alias.safetensors");
  write_map(R"({"a":"one.safetensors","b":"alias.safetensors","c":"two.safetensors"})");
  expect_error(dir_.path(), kCorrupt, {"\"a\"", "one.safetensors", "alias.safetensors"});
}

TEST_F(ShardedModel, IndexThatNamesItselfOrADirectory) {
  write_map(R"({"a":"model.safetensors.index.json"})");
  expect_error(dir_.path(), kCorrupt, {"model.safetensors.index.json", "header length"});
  std::filesystem::create_directory(dir_.path() / "folder");
  write_map(R"({"a":"folder"})");
  expect_error(dir_.path(), StatusCode::io_error, {"folder", "regular file"});
}

TEST_F(ShardedModel, IndexThatLeavesTheDirectory) {
  const TempDir outside;
  const auto elsewhere = outside.write("x.safetensors", letters({"a"}));
  for (const std::string& name :
       {std::string("../x.safetensors"), std::string("sub/../../x.safetensors"), elsewhere.string(),
        std::string(), std::string("."), std::string("./one.safetensors"),
        std::string("one.safetensors/"), std::string("one.safetensors\\u0000x")}) {
    write_map(R"({"a":")" + name + R"("})");
    expect_error(dir_.path(), kCorrupt, {"\"a\"", "not inside"});
  }
}

TEST_F(ShardedModel, BrokenIndex) {
  for (const std::string text : {"[]", "{}", R"({"weight_map":[]})", R"({"weight_map":{}})"}) {
    dir_.write("model.safetensors.index.json", text);
    expect_error(dir_.path(), kCorrupt, {"index.json", "weight_map"});
  }
  write_map(R"({"a":1})");
  expect_error(dir_.path(), kCorrupt, {"\"a\"", "expected a file name", "number"});
  write_map(R"({"a":"one.safetensors","a":"two.safetensors"})");
  expect_error(dir_.path(), kCorrupt, {"duplicate key \"a\""});
  dir_.write("model.safetensors.index.json", "{");
  expect_error(dir_.path(), kCorrupt, {"index.json", "invalid JSON"});
}

TEST_F(ShardedModel, OneShardIsNotAModel) {
  const auto shard = dir_.write("model-00001-of-00002.safetensors", letters({"a"}));
  expect_error(shard, StatusCode::invalid_argument, {"shard", dir_.path().string()});
}

/// A part of a split model with one f32 tensor; `keys` of them are written.
std::string part(std::uint16_t number, std::uint16_t count, std::int32_t tensors,
                 const std::string& tensor) {
  const auto key = [](std::string_view name, std::uint32_t type) {
    return Bytes().string(name).u32(type);
  };
  return gguf_header(1, 3)
      .raw(key("split.no", 2))
      .u16(number)
      .raw(key("split.count", 2))
      .u16(count)
      .raw(key("split.tensors.count", 5))
      .i32(tensors)
      .raw(gguf_tensor(tensor, {1}, 0, 0))
      .pad_to(32)
      .raw(tensor.substr(0, 1) + "...");
}

class SplitModel : public testing::Test {
 protected:
  void SetUp() override {
    for (std::uint16_t number = 0; number < 3; ++number) {
      write(number, part(number, 3, 3, std::string(1, static_cast<char>('a' + number))));
    }
  }
  std::filesystem::path write(int number, const std::string& content) {
    return dir_.write(name(number), content);
  }
  static std::string name(int number) {
    return "m-0000" + std::to_string(number + 1) + "-of-00003.gguf";
  }
  TempDir dir_;
};

TEST_F(SplitModel, OpensFromAnyPart) {
  for (int number = 0; number < 3; ++number) {
    const auto model = ModelFile::open(dir_.path() / name(number));
    ASSERT_TRUE(model) << model.error().message();
    EXPECT_EQ(model->format(), FileFormat::gguf);
    ASSERT_EQ(model->tensors().size(), 3u);
    EXPECT_EQ(**model->gguf().get_int("split.no"), 0) << "metadata is that of the first part";
    ASSERT_NE(model->find("c"), nullptr);
    EXPECT_EQ(static_cast<char>(*model->find("c")->view.data), 'c');
    EXPECT_EQ(model->find("c")->file, 2u);
  }
}

TEST_F(SplitModel, PartIsMissing) {
  std::filesystem::remove(dir_.path() / name(1));
  expect_error(dir_.path() / name(0), StatusCode::not_found, {name(1), "part 2 of 3"});
}

TEST_F(SplitModel, PartsInTheWrongOrder) {
  write(1, part(2, 3, 3, "b"));
  expect_error(dir_.path() / name(0), kCorrupt, {name(1), "split.no", "expected 1", "found 2"});
}

TEST_F(SplitModel, PartOfAnotherSplit) {
  write(2, part(2, 4, 3, "c"));
  expect_error(dir_.path() / name(0), kCorrupt, {name(2), "split.count", "expected 3", "found 4"});
}

TEST_F(SplitModel, PartThatIsAWholeModel) {
  write(1, gguf_header(0, 0));
  expect_error(dir_.path() / name(0), kCorrupt, {name(1), "split.no", "found none"});
}

TEST_F(SplitModel, TensorInTwoParts) {
  write(2, part(2, 3, 3, "a"));
  expect_error(dir_.path() / name(0), kCorrupt, {name(2), "\"a\"", name(0)});
}

TEST_F(SplitModel, WrongNumberOfTensors) {
  write(0, part(0, 3, 4, "a"));
  expect_error(dir_.path() / name(0), kCorrupt, {"split.tensors.count", "4", "3 tensors"});
}

TEST_F(SplitModel, RenamedPart) {
  const auto renamed = dir_.write("renamed.gguf", part(0, 3, 3, "a"));
  expect_error(renamed, kCorrupt, {"renamed.gguf", "3 parts", "-00001-of-00003.gguf"});
  const auto of_two = dir_.write("m-00001-of-00002.gguf", part(0, 3, 3, "a"));
  expect_error(of_two, kCorrupt, {"m-00001-of-00002.gguf", "3 parts"});
}

TEST(GgufFile, IsRecognisedByItsMagicOrItsName) {
  const TempDir dir;
  EXPECT_EQ(ModelFile::open(dir.write("model.bin", gguf_header(0, 0).text()))->format(), FileFormat::gguf);
  expect_error(dir.write("x.gguf", "GGML"), kCorrupt, {"x.gguf", "magic"});
  expect_error(dir.write("empty.gguf", ""), kCorrupt, {"empty.gguf", "magic"});
}

TEST(GgufFile, CarriesAllItNeeds) {
  // A tokenizer.json that happens to lie beside it belongs to something else.
  const TempDir dir;
  dir.write("tokenizer.json", "{");
  const auto model = ModelFile::open(dir.write("m.gguf", gguf_header(0, 0).text()));
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_TRUE(model->companion_json("tokenizer.json")->is_null());
  EXPECT_EQ(*model->companion_text("tokenizer.json"), "");
  EXPECT_TRUE(model->config().empty());
}

TEST(RepositoryModels, AllOpen) {
  std::size_t opened = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(LLM_SOURCE_DIR "/tests/fixtures/models")) {
    const auto model = ModelFile::open(entry.path());
    ASSERT_TRUE(model) << model.error().message();
    EXPECT_GT(model->tensors().size(), 0u) << entry.path();
    ++opened;
  }
  EXPECT_GT(opened, 10u);
}

TEST(RealFiles, TrainedModelInBothFormats) {
  const auto directory = optional_file("models/stories260k");
  const auto gguf = optional_file("models/stories260k.gguf");
  if (!directory || !gguf)
    GTEST_SKIP() << "stories260k is not here; see tests/formats/optional_files.h";
  const auto a = ModelFile::open(*directory);
  const auto b = ModelFile::open(*gguf);
  ASSERT_TRUE(a) << a.error().message();
  ASSERT_TRUE(b) << b.error().message();
  EXPECT_EQ(a->tensor_bytes(), b->tensor_bytes());
  const TensorEntry* norm_a = a->find("model.norm.weight");
  const TensorEntry* norm_b = b->find("output_norm.weight");
  ASSERT_NE(norm_a, nullptr);
  ASSERT_NE(norm_b, nullptr);
  ASSERT_EQ(norm_a->view.bytes, norm_b->view.bytes);
  EXPECT_EQ(std::memcmp(norm_a->view.data, norm_b->view.data, norm_a->view.bytes), 0);
  EXPECT_EQ(a->find("model.layers.0.mlp.down_proj.weight")->view.shape,
            b->find("blk.0.ffn_down.weight")->view.shape);
}

TEST(RealFiles, VocabulariesWithoutTensors) {
  for (const char* name : {"llama-spm", "gpt-2", "falcon", "deepseek-coder"}) {
    const auto path = optional_file(std::string("vocab/") + name + ".gguf");
    if (!path) GTEST_SKIP() << name << " is not here; see tests/formats/optional_files.h";
    const auto model = ModelFile::open(*path);
    ASSERT_TRUE(model) << model.error().message();
    EXPECT_EQ(model->tensors().size(), 0u);
    const auto tokens = model->gguf().get_strings("tokenizer.ggml.tokens");
    ASSERT_TRUE(tokens) << tokens.error().message();
    EXPECT_GT((*tokens)->size(), 30000u) << name;
  }
}

}  // namespace
}  // namespace llm::formats
