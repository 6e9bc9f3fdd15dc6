#include "tokenizer/bpe_model.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "tokenizer/spm_model.h"

namespace llm::tokenizer {
namespace {

using Ids = std::vector<std::int32_t>;

struct Vocabulary {
  std::vector<std::string> texts;
  std::vector<BpeModel::MergeTexts> merges;
  TokenTable table;
  std::unique_ptr<BpeModel> model;
};

// Token ids are positions in `texts`; every merge is "left right".
std::unique_ptr<Vocabulary> make(std::vector<std::string> texts, std::vector<const char*> merges,
                                 BpeOptions options = {}) {
  auto result = std::make_unique<Vocabulary>();
  result->texts = std::move(texts);
  std::vector<TokenTable::Entry> entries;
  for (std::size_t id = 0; id < result->texts.size(); ++id) {
    entries.push_back({result->texts[id], static_cast<std::int32_t>(id)});
  }
  result->table = TokenTable::build(entries, "test").value();
  for (const std::string_view merge : merges) {
    const std::size_t space = merge.find(' ');
    result->merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  result->model = BpeModel::build(result->table, result->merges, options, "test").value();
  return result;
}

Ids encode(const WordEncoder& model, std::string_view word) {
  WordEncoder::Scratch scratch;
  Ids ids;
  model.encode(word, scratch, ids);
  return ids;
}

TEST(BpeModel, LowestRankFirstThenLeftmost) {
  // a b c ab bc abc
  const auto v = make({"a", "b", "c", "ab", "bc", "abc", "aa"}, {"b c", "a b", "a bc", "a a"});
  EXPECT_EQ(encode(*v->model, "abc"), Ids({5}));
  EXPECT_EQ(encode(*v->model, "ab"), Ids({3}));
  EXPECT_EQ(encode(*v->model, "aaa"), Ids({6, 0}));
  EXPECT_EQ(encode(*v->model, "aabc"), Ids({0, 5}));
}

// A token that merging does not reach is given only where the model says so.
TEST(BpeModel, WholeWordsNeedIgnoreMerges) {
  const auto plain = make({"a", "b", "ab"}, {});
  EXPECT_EQ(encode(*plain->model, "ab"), Ids({0, 1}));
  const auto ignoring = make({"a", "b", "ab"}, {}, {.ignore_merges = true});
  EXPECT_EQ(encode(*ignoring->model, "ab"), Ids({2}));
}

TEST(BpeModel, UnknownCharacters) {
  EXPECT_EQ(encode(*make({"a"}, {})->model, "xay"), Ids({0}));
  const auto unknown = make({"<unk>", "a"}, {}, {.unknown_token = "<unk>"});
  EXPECT_EQ(encode(*unknown->model, "xyaz"), Ids({0, 0, 1, 0}));
  const auto fused = make({"<unk>", "a"}, {}, {.fuse_unknown = true, .unknown_token = "<unk>"});
  EXPECT_EQ(encode(*fused->model, "xyaz"), Ids({0, 1, 0}));
  // U+00E9 is C3 A9; U+00EA is C3 AA, and there is no token for AA.
  const auto bytes = make({"<unk>", "a", "<0xC3>", "<0xA9>"}, {},
                          {.byte_fallback = true, .unknown_token = "<unk>"});
  EXPECT_EQ(encode(*bytes->model, "\u00E9a\u00EA"), Ids({2, 3, 1, 0}));
}

TEST(BpeModel, BrokenTables) {
  const std::vector<TokenTable::Entry> entries = {{"a", 0}, {"b", 1}};
  const TokenTable table = TokenTable::build(entries, "model").value();
  const auto merge = BpeModel::build(table, {{"a", "b"}}, {}, "model");
  ASSERT_FALSE(merge.has_value());
  EXPECT_EQ(merge.error().message(),
            "model: merges[0] (\"a\" and \"b\"): \"ab\" is not in the vocabulary");
  EXPECT_FALSE(BpeModel::build(table, {{"a", "x"}}, {}, "model").has_value());
  EXPECT_FALSE(BpeModel::build(table, {}, {.unknown_token = "<unk>"}, "model").has_value());

  const auto same_id = TokenTable::build({{"a", 3}, {"b", 3}}, "vocab");
  ASSERT_FALSE(same_id.has_value());
  EXPECT_EQ(same_id.error().message(), "vocab: id 3 belongs to both \"a\" and \"b\"");
  EXPECT_FALSE(TokenTable::build({{"a", 1}, {"a", 2}}, "vocab").has_value());
  EXPECT_FALSE(TokenTable::build({{"a", -1}}, "vocab").has_value());
  EXPECT_FALSE(TokenTable::build({{"a", kMaxVocabulary}}, "vocab").has_value());
}

TEST(TokenTable, HolesAreNoTokens) {
  const auto table = TokenTable::build({{"a", 5}, {"b", 2}}, "vocab").value();
  EXPECT_EQ(table.size(), 6);
  EXPECT_TRUE(table.contains(5));
  EXPECT_FALSE(table.contains(3));
  EXPECT_FALSE(table.contains(6));
  EXPECT_EQ(table.find("b"), 2);
  EXPECT_EQ(table.find("c"), -1);
  EXPECT_EQ(table.text(3), "");
}

// A model over two letters with random merges; `definition` merges by the book.
class RandomMerges : public testing::Test {
 protected:
  void SetUp() override {
    std::mt19937 random(7);
    texts_ = {"a", "b", "c", "\u2581"};
    while (texts_.size() < 120) {
      const std::string& left = texts_[random() % texts_.size()];
      const std::string& right = texts_[random() % texts_.size()];
      if (std::find(texts_.begin(), texts_.end(), left + right) != texts_.end()) continue;
      merges_.emplace_back(left, right);
      texts_.push_back(left + right);
    }
    std::vector<TokenTable::Entry> entries;
    for (std::size_t id = 0; id < texts_.size(); ++id) {
      entries.push_back({texts_[id], static_cast<std::int32_t>(id)});
    }
    table_ = TokenTable::build(entries, "test").value();
    std::vector<BpeModel::MergeTexts> merges(merges_.begin(), merges_.end());
    model_ = BpeModel::build(table_, merges, {}, "test").value();
  }

  Ids definition(const std::vector<std::string>& characters) const {
    std::vector<std::string> row = characters;
    while (true) {
      std::size_t best = row.size(), best_rank = merges_.size();
      for (std::size_t at = 0; at + 1 < row.size(); ++at) {
        for (std::size_t rank = 0; rank < best_rank; ++rank) {
          if (merges_[rank].first == row[at] && merges_[rank].second == row[at + 1]) {
            best_rank = rank;
            best = at;
          }
        }
      }
      if (best == row.size()) break;
      row[best] += row[best + 1];
      row.erase(row.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    Ids ids;
    for (const std::string& text : row) ids.push_back(table_.find(text));
    return ids;
  }

  std::vector<std::string> texts_;
  std::vector<std::pair<std::string, std::string>> merges_;
  TokenTable table_;
  std::unique_ptr<BpeModel> model_;
};

// Covers the scan of short words, the heap of long ones, words seen before, and cutting words.
TEST_F(RandomMerges, FollowTheDefinition) {
  std::mt19937 random(11);
  WordEncoder::Scratch scratch;
  for (int round = 0; round < 3000; ++round) {
    const std::size_t length = 1 + random() % (round % 10 == 0 ? 300 : 12);
    std::vector<std::string> characters;
    std::string word;
    for (std::size_t at = 0; at < length; ++at) {
      characters.push_back(texts_[random() % 4]);
      word += characters.back();
    }
    Ids ids;
    model_->encode(word, scratch, ids);
    ASSERT_EQ(ids, definition(characters)) << word;
  }
}

TEST(BpeModel, LongWordsAreQuick) {
  std::vector<std::string> texts = {"a"};
  std::vector<BpeModel::MergeTexts> merges;
  for (int doubling = 0; doubling < 7; ++doubling) texts.push_back(texts.back() + texts.back());
  std::vector<TokenTable::Entry> entries;
  for (std::size_t id = 0; id < texts.size(); ++id) {
    entries.push_back({texts[id], static_cast<std::int32_t>(id)});
    if (id > 0) merges.emplace_back(texts[id - 1], texts[id - 1]);
  }
  const TokenTable table = TokenTable::build(entries, "test").value();
  const auto model = BpeModel::build(table, merges, {}, "test").value();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(encode(*model, std::string(1 << 20, 'a')), Ids(1 << 13, 7));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(SpmModel, HighestScoreFirstThenLeftmost) {
  std::array<std::int32_t, 256> bytes;
  bytes.fill(-1);
  bytes[0xC3] = 20;
  bytes[0xA9] = 21;
  const std::vector<SpmModel::Token> tokens = {{"a", 0, -5},  {"b", 1, -6},   {"ab", 2, -1},
                                               {"ba", 3, -1}, {"aba", 4, -2}, {"bb", 5, -0.5f}};
  const auto model = SpmModel::build(tokens, bytes, 9, 30, "test").value();
  EXPECT_EQ(encode(*model, "abab"), Ids({2, 2}));
  EXPECT_EQ(encode(*model, "aba"), Ids({4}));
  EXPECT_EQ(encode(*model, "abb"), Ids({0, 5}));
  EXPECT_EQ(encode(*model, "a\u00E9x"), Ids({0, 20, 21, 9}));

  const auto broken = SpmModel::build({{"a", 0, NAN}}, bytes, -1, 1, "test");
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().message(), "test: the score of token 0 (\"a\") is not finite");
}

}  // namespace
}  // namespace llm::tokenizer
