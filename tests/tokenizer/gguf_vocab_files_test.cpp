// Real vocabularies in GGUF files against the ids that llama.cpp gives for the same texts. The
// files are not part of the repository; where they are absent, the tests say that they are skipped.
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "engine/load_tokenizer.h"
#include "formats/model_file.h"
#include "formats/optional_files.h"
#include "tokenizer/stream_decoder.h"

namespace llm::tokenizer {
namespace {

constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";

std::vector<std::string> read_texts(const std::filesystem::path& path) {
  const auto all = core::read_text_file(path, 1 << 20);
  std::vector<std::string> texts;
  if (!all) return texts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = all->find(kSeparator, begin);
    if (end == std::string::npos) break;  // what follows the last separator is no text
    texts.push_back(all->substr(begin, end - begin));
    begin = end + kSeparator.size();
  }
  return texts;
}

std::vector<std::vector<std::int32_t>> read_ids(const std::filesystem::path& path) {
  const auto all = core::read_text_file(path, 1 << 20);
  std::vector<std::vector<std::int32_t>> rows;
  if (!all) return rows;
  std::istringstream lines(*all);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    std::vector<std::int32_t>& row = rows.emplace_back();
    for (std::int32_t id; numbers >> id;) row.push_back(id);
  }
  return rows;
}

class GgufVocabFile : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string name = std::string("vocab/") + GetParam() + ".gguf";
    const auto path = optional_file(name);
    if (!path) GTEST_SKIP() << name << " is not here";
    auto file = formats::ModelFile::open(*path);
    ASSERT_TRUE(file.has_value()) << file.error().message();
    auto tokenizer = engine::load_tokenizer(*file);
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message();
    tokenizer_ = std::move(tokenizer).value();
    texts_ = read_texts(path->string() + ".inp");
    ids_ = read_ids(path->string() + ".out");
    ASSERT_GT(texts_.size(), 40u);
    ASSERT_EQ(texts_.size(), ids_.size());
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<std::string> texts_;
  std::vector<std::vector<std::int32_t>> ids_;
};

TEST_P(GgufVocabFile, GivesTheIdsOfLlamaCpp) {
  for (std::size_t at = 0; at < texts_.size(); ++at) {
    const auto ids = tokenizer_->encode(texts_[at], {.add_special = false, .parse_special = false});
    ASSERT_TRUE(ids.has_value()) << ids.error().message();
    EXPECT_EQ(*ids, ids_[at]) << "text " << at << ": \"" << texts_[at] << "\"";
  }
}

TEST_P(GgufVocabFile, DecodesBackToTheText) {
  for (const std::string& text : texts_) {
    const auto ids = tokenizer_->encode(text);
    ASSERT_TRUE(ids.has_value());
    const auto decoded = tokenizer_->decode(*ids, /*skip_special=*/true);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(*decoded, text);
    StreamDecoder stream(*tokenizer_, /*continues_text=*/false);
    std::string streamed;
    for (const std::int32_t id : *ids) streamed += stream.push(id);
    EXPECT_EQ(streamed + stream.finish(), text);
  }
}

INSTANTIATE_TEST_SUITE_P(All, GgufVocabFile,
                         testing::Values("llama-spm", "gpt-2", "falcon", "deepseek-coder"),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace llm::tokenizer
