// End tokens are the union of every source that names one; each of them ends a generation.
#include "engine/eos_tokens.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/load_tokenizer.h"
#include "formats/model_file.h"
#include "support/temp_dir.h"

namespace llm::engine {
namespace {

namespace fs = std::filesystem;

// A copy of the demo model whose JSON files a test rewrites.
class EosSources : public ::testing::Test {
 protected:
  void SetUp() override {
    const fs::path demo = fs::path(LLM_SOURCE_DIR) / "models" / "demo";
    fs::create_symlink(demo / "model.safetensors", directory_.path() / "model.safetensors");
    fs::copy_file(demo / "tokenizer.json", directory_.path() / "tokenizer.json");
    config_ = *core::parse_json(slurp(demo / "config.json"), "config.json");
    config_.erase("eos_token_id");
  }

  static std::string slurp(const fs::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void write(const char* name, const core::Json& json) const {
    std::ofstream(directory_.path() / name) << json.dump();
  }
  Result<EosTokens> find() {
    write("config.json", config_);
    LLM_ASSIGN_OR_RETURN(const formats::ModelFile file,
                         formats::ModelFile::open(directory_.path()));
    LLM_ASSIGN_OR_RETURN(const auto tokenizer, load_tokenizer(file));
    end_of_text_ = tokenizer->token_id("<|end_of_text|>").value_or(-1);
    eot_ = tokenizer->token_id("<|eot_id|>").value_or(-1);
    return find_eos_tokens(file, *tokenizer, config_["vocab_size"].get<std::int64_t>());
  }

  TempDir directory_;
  core::Json config_;
  std::int32_t end_of_text_ = -1;
  std::int32_t eot_ = -1;
};

TEST_F(EosSources, KnownEndTextsCountWhereNoFileNamesThem) {
  const auto eos = find();
  ASSERT_TRUE(eos) << eos.error().message();
  ASSERT_GE(end_of_text_, 0);
  EXPECT_TRUE(eos->is_eos(end_of_text_));
  EXPECT_TRUE(eos->is_eos(eot_));
  EXPECT_FALSE(eos->is_eos(5));
}

TEST_F(EosSources, UnionOfAllFilesAndThePrimaryFromTheFirst) {
  config_["eos_token_id"] = 11;
  write("generation_config.json", {{"eos_token_id", {7, 9}}});
  write("tokenizer_config.json", {{"eos_token", "<|end_of_text|>"}});
  const auto eos = find();
  ASSERT_TRUE(eos) << eos.error().message();
  EXPECT_EQ(eos->primary(), 7);
  for (const std::int32_t id : {7, 9, 11, end_of_text_, eot_}) EXPECT_TRUE(eos->is_eos(id)) << id;
  EXPECT_EQ(eos->ids().size(), 5u);
}

TEST_F(EosSources, AnEosTokenMayBeAnObject) {
  write("tokenizer_config.json", {{"eos_token", {{"content", "<|eot_id|>"}, {"lstrip", false}}}});
  const auto eos = find();
  ASSERT_TRUE(eos) << eos.error().message();
  EXPECT_EQ(eos->primary(), eot_);
}

TEST_F(EosSources, IdsOutsideTheVocabularyAreRefused) {
  config_["eos_token_id"] = {1, 1 << 20};
  const auto eos = find();
  ASSERT_FALSE(eos);
  EXPECT_NE(eos.error().message().find("1048576"), std::string::npos) << eos.error().message();
  EXPECT_NE(eos.error().message().find("config.json"), std::string::npos);
}

TEST_F(EosSources, OtherTypesAreRefused) {
  config_["eos_token_id"] = "two";
  EXPECT_FALSE(find());
  config_["eos_token_id"] = {1, "two"};
  EXPECT_FALSE(find());
}

TEST(EosTokens, EmptyEndsNothing) {
  const EosTokens none;
  EXPECT_TRUE(none.empty());
  EXPECT_FALSE(none.is_eos(-1));
  EXPECT_FALSE(none.is_eos(0));
  EXPECT_EQ(none.primary(), -1);
}

}  // namespace
}  // namespace llm::engine
