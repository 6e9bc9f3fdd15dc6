// Every case that Hugging Face's tokenizers gave for the tokenizers in tests/fixtures.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "core/json.h"
#include "core/mapped_file.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/tokenizer.h"

namespace llm::tokenizer {
namespace {

using Ids = std::vector<std::int32_t>;
namespace fs = std::filesystem;

fs::path fixtures() { return fs::path(LLM_SOURCE_DIR) / "tests/fixtures/tokenizers"; }

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(fixtures())) {
    if (fs::exists(entry.path() / "tokenizer.json")) found.push_back(entry.path().filename());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string read(const fs::path& path) {
  const auto text = core::read_text_file(path, 1 << 26);
  EXPECT_TRUE(text.has_value()) << text.error().message();
  return text ? *text : std::string();
}

class Fixture : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = fixtures() / GetParam();
    auto tokenizer = tokenizer_from_json(read(folder_ / "tokenizer.json"),
                                         read(folder_ / "tokenizer_config.json"));
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message();
    tokenizer_ = std::move(tokenizer).value();
  }

  void check_decoding(const core::Json& one, const Ids& ids) {
    const std::string shown = one.at("decoded_skip_special"), all = one.at("decoded_all");
    EXPECT_EQ(*tokenizer_->decode(ids, true), shown) << one.dump();
    EXPECT_EQ(*tokenizer_->decode(ids, false), all) << one.dump();
    StreamDecoder stream(*tokenizer_, /*continues_text=*/false);
    std::string streamed;
    for (const std::int32_t id : ids) streamed += stream.push(id);
    EXPECT_EQ(streamed + stream.finish(), shown) << one.dump();
  }

  fs::path folder_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(Fixture, EncodesEveryText) {
  const core::Json cases = core::parse_json(read(folder_ / "cases.json"), "cases.json").value();
  ASSERT_GT(cases.size(), 100u);
  for (const core::Json& one : cases) {
    const std::string text = one.at("text");
    const auto with = tokenizer_->encode(text);
    const auto without = tokenizer_->encode(text, {.add_special = false});
    ASSERT_TRUE(with.has_value() && without.has_value());
    EXPECT_EQ(*with, one.at("ids_with_special").get<Ids>()) << one.dump();
    EXPECT_EQ(*without, one.at("ids_without_special").get<Ids>()) << one.dump();
    check_decoding(one, *with);
  }
}

TEST_P(Fixture, DecodesArbitraryIds) {
  const core::Json cases = core::parse_json(read(folder_ / "decode.json"), "decode.json").value();
  ASSERT_GT(cases.size(), 5u);
  for (const core::Json& one : cases) check_decoding(one, one.at("ids").get<Ids>());
}

INSTANTIATE_TEST_SUITE_P(HuggingFace, Fixture, testing::ValuesIn(names()), [](const auto& test) {
  std::string name = test.param;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace llm::tokenizer
