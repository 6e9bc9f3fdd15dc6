// Vocabularies of tokenizer.json as GGUF holds them: read back, they give the same tokens, or the
// difference was announced; what GGUF has no place for is refused.
#include "tokenizer/gguf_export.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "core/json.h"
#include "core/mapped_file.h"
#include "tokenizer/gguf_model_name.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

using core::Json;
using Ids = std::vector<std::int32_t>;

const std::filesystem::path kTokenizers =
    std::filesystem::path(LLM_SOURCE_DIR) / "tests/fixtures/tokenizers";

std::string read(const std::filesystem::path& path) {
  return core::read_text_file(path, std::size_t{1} << 26).value();
}

GgufExport exported(const Json& tokenizer, const std::string& config = "",
                    std::int32_t vocab_size = 2000) {
  auto result = export_gguf_vocabulary(tokenizer.dump(), config, {.vocab_size = vocab_size});
  EXPECT_TRUE(result.has_value()) << result.error().message();
  return result ? std::move(result).value() : GgufExport{};
}

std::string error_of(const Json& tokenizer) {
  const auto result = export_gguf_vocabulary(tokenizer.dump(), "", {.vocab_size = 2000});
  return result ? "accepted" : result.error().message();
}

Json fixture(const std::string& name) {
  return Json::parse(read(kTokenizers / name / "tokenizer.json"));
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

bool warns_of(const GgufExport& exported, std::string_view part) {
  return std::any_of(exported.warnings.begin(), exported.warnings.end(),
                     [&](const std::string& warning) { return has(warning, part); });
}

struct Case {
  const char* name;
  const char* model;
  const char* pre;
  /// What a warning says of a text that is tokenised otherwise; null: there is no such text.
  const char* warning;
  bool (*differs)(const std::string& text);
};

// Texts with the fixtures' tokens that have flags which GGUF lacks.
bool has_flagged_token(const std::string& text) {
  return has(text, "wordtok") || has(text, "Norm") || has(text, "<|mask|>") ||
         has(text, "<|sep|>") || has(text, "<|both|>");
}

bool has_digit(const std::string& text) {
  return text.find_first_of("0123456789") != std::string::npos;
}
bool has_script(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
}
bool has_digit_or_script(const std::string& text) { return has_digit(text) || has_script(text); }

class ExportedVocabulary : public testing::TestWithParam<Case> {};

TEST_P(ExportedVocabulary, GivesTheSameTokensOrHasAWarning) {
  const Case& test = GetParam();
  const std::string config = read(kTokenizers / test.name / "tokenizer_config.json");
  const GgufExport found = exported(fixture(test.name), config);
  EXPECT_EQ(found.vocabulary.model, test.model);
  EXPECT_EQ(found.vocabulary.pre, test.pre);
  EXPECT_TRUE(warns_of(found, "lstrip, rstrip and single_word"));
  EXPECT_EQ(found.warnings.size(), test.warning == nullptr ? 1U : 2U);
  if (test.warning != nullptr) {
    EXPECT_TRUE(warns_of(found, test.warning));
  }

  const auto tokenizer = tokenizer_from_gguf(found.vocabulary);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message();
  EXPECT_EQ((*tokenizer)->vocab_size(), 2000);
  std::size_t compared = 0;
  for (const Json& row : Json::parse(read(kTokenizers / test.name / "cases.json"))) {
    const std::string text = row["text"];
    if (has_flagged_token(text) || (test.differs != nullptr && test.differs(text))) continue;
    ++compared;
    EXPECT_EQ(*(*tokenizer)->encode(text), row["ids_with_special"].get<Ids>()) << text;
    EXPECT_EQ(*(*tokenizer)->encode(text, {.add_special = false}),
              row["ids_without_special"].get<Ids>())
        << text;
  }
  EXPECT_GT(compared, 20U);
}

INSTANTIATE_TEST_SUITE_P(
    Fixtures, ExportedVocabulary,
    testing::Values(Case{"llama3", "gpt2", "llama-bpe", nullptr, nullptr},
                    Case{"mistral-nemo", "gpt2", "tekken", nullptr, nullptr},
                    Case{"gpt2", "gpt2", "gpt-2", nullptr, nullptr},
                    Case{"starcoder", "gpt2", "starcoder", nullptr, nullptr},
                    Case{"deepseek-coder", "gpt2", "deepseek-coder", nullptr, nullptr},
                    Case{"deepseek-v3", "gpt2", "deepseek-v3", nullptr, nullptr},
                    Case{"deepseek-llm", "gpt2", "deepseek-llm", "digits of a number", has_digit},
                    Case{"falcon", "gpt2", "falcon", "cut once more at digits",
                         has_digit_or_script},
                    Case{"qwen2", "gpt2", "qwen2", "NFC", has_script}),
    [](const auto& test) {
      std::string name = test.param.name;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST(GgufExport, RefusesWhatGgufHasNoPlaceFor) {
  Json tokenizer = fixture("llama3");
  tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = R"(\p{L}+|\p{N}{1,7})";
  EXPECT_EQ(error_of(tokenizer),
            "tokenizer.json: GGUF has no name for this pre-tokenizer (ignore_merges true): "
            "\"\\p{L}+|\\p{N}{1,7}\"");

  EXPECT_TRUE(has(error_of(fixture("gpt2-prefix-space")), "no place for pre-tokenizer step"));

  tokenizer = fixture("llama3");
  tokenizer["normalizer"] = {{"type", "Lowercase"}};
  EXPECT_TRUE(has(error_of(tokenizer), "no place for normalizer"));

  tokenizer = fixture("llama2-legacy");
  tokenizer["normalizer"]["normalizers"].push_back({{"type", "NFKC"}});
  EXPECT_TRUE(has(error_of(tokenizer), "no place for normalizer"));

  tokenizer = fixture("llama2-legacy");
  tokenizer["model"]["byte_fallback"] = false;
  EXPECT_TRUE(has(error_of(tokenizer), "neither a byte-level nor a byte-fallback vocabulary"));

  tokenizer = fixture("llama3");
  Json& single = tokenizer["post_processor"]["processors"][1]["single"];
  single.insert(single.begin(), single[0]);
  EXPECT_TRUE(has(error_of(tokenizer), "adds 2 tokens before a text"));
}

// Like the tokenizer.json of a SentencePiece model: of a trained one, with all ways to make a token
// in place of the one that training found.
Json sentencepiece(const std::string& name) {
  Json tokenizer = fixture(name);
  Json& model = tokenizer["model"];
  Json merges = Json::array();
  for (const Json& merge : model["merges"]) {
    const std::string token = merge[0].get<std::string>() + merge[1].get<std::string>();
    for (std::size_t cut = utf8_length(token[0]); cut < token.size();
         cut += utf8_length(token[cut])) {
      const std::string left = token.substr(0, cut);
      const std::string right = token.substr(cut);
      if (model["vocab"].contains(left) && model["vocab"].contains(right)) {
        merges.push_back({left, right});
      }
    }
  }
  model["merges"] = merges;
  return tokenizer;
}

class ExportedSentencePiece : public testing::TestWithParam<const char*> {};

TEST_P(ExportedSentencePiece, MergesByScoresAsByMerges) {
  const Json document = sentencepiece(GetParam());
  const auto wanted = tokenizer_from_json(document.dump(), "");
  ASSERT_TRUE(wanted.has_value()) << wanted.error().message();
  const GgufExport found = exported(document);
  EXPECT_EQ(found.vocabulary.model, "llama");
  EXPECT_EQ(found.vocabulary.pre, "default");
  const auto tokenizer = tokenizer_from_gguf(found.vocabulary);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message();
  // With "first", the space at the start of a text is not put behind a control token, nor before
  // another.
  const bool first = std::string(GetParam()) == "llama2-metaspace";
  EXPECT_EQ(warns_of(found, "also where it has one or follows a control token"), first);
  std::size_t compared = 0;
  for (const Json& row : Json::parse(read(kTokenizers / GetParam() / "cases.json"))) {
    const std::string text = row["text"];
    if (has_flagged_token(text)) continue;
    if (first && (has(text, "<") || text.starts_with(' ') || text.starts_with("▁"))) continue;
    ++compared;
    EXPECT_EQ(*(*tokenizer)->encode(text), *(*wanted)->encode(text)) << text;
  }
  EXPECT_GT(compared, 50U);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, ExportedSentencePiece,
                         testing::Values("llama2-legacy", "llama2-metaspace", "gemma"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// Merges that SentencePiece would not come to by scores of tokens.
TEST(GgufExport, MergesThatNoScoresStandForAreRefusedOrNoted) {
  // Trained, so a token is made in one way only.
  const Json trained = fixture("llama2-legacy");
  EXPECT_TRUE(has(error_of(trained), "tokenizer.json: GGUF has no place for these merges: "));
  EXPECT_TRUE(has(error_of(trained), "are not merged to"));
  const auto noted =
      export_gguf_vocabulary(trained.dump(), "", {.vocab_size = 2000, .sentencepiece = true});
  ASSERT_TRUE(noted.has_value()) << noted.error().message();
  EXPECT_TRUE(warns_of(*noted, "are not merged to"));

  // The same token made in two ways, with another token's merge between them.
  Json tokenizer = sentencepiece("llama2-legacy");
  Json& merges = tokenizer["model"]["merges"];
  const auto text_of = [](const Json& merge) {
    return merge[0].get<std::string>() + merge[1].get<std::string>();
  };
  for (std::size_t m = 0; m + 2 < merges.size(); ++m) {
    if (text_of(merges[m]) == text_of(merges[m + 1]) &&
        text_of(merges[m + 1]) != text_of(merges[m + 2])) {
      std::swap(merges[m + 1], merges[m + 2]);
      EXPECT_TRUE(has(error_of(tokenizer), "are merged later than other pieces"));
      return;
    }
  }
  FAIL() << "no token is made in two ways";
}

TEST(GgufExport, HolesAndRowsBeyondTheVocabularyAreUnusedTokens) {
  const GgufExport found = exported(fixture("gpt2"), "", 1600);
  ASSERT_EQ(found.vocabulary.tokens.size(), 1600U);
  EXPECT_EQ(found.vocabulary.tokens[1599], "[PAD1599]");
  EXPECT_EQ(found.vocabulary.token_types[1599], static_cast<std::int32_t>(TokenType::unused));
  EXPECT_EQ(found.vocabulary.tokens[1501], "<|endoftext|>");
  EXPECT_EQ(found.vocabulary.token_types[1501], static_cast<std::int32_t>(TokenType::control));
  EXPECT_EQ(found.vocabulary.tokens[1502], "<extra>");
  EXPECT_EQ(found.vocabulary.token_types[1502], static_cast<std::int32_t>(TokenType::user_defined));
}

TEST(GgufExport, TokensWithoutARowAreLeftOut) {
  const GgufExport found = exported(fixture("gpt2"), "", 1500);
  EXPECT_EQ(found.vocabulary.tokens.size(), 1500U);
  EXPECT_TRUE(warns_of(found, "8 tokens have no row in the embedding"));
}

TEST(GgufExport, SpecialTokensComeFromThePostProcessorAndTheConfig) {
  const GgufExport llama =
      exported(fixture("llama3"), read(kTokenizers / "llama3" / "tokenizer_config.json"));
  EXPECT_EQ(llama.vocabulary.bos_id, 1501);
  EXPECT_EQ(llama.vocabulary.add_bos, true);
  EXPECT_EQ(llama.vocabulary.add_eos, false);
  const GgufExport spm = exported(sentencepiece("llama2-legacy"), R"({"eos_token": "</s>"})");
  EXPECT_EQ(spm.vocabulary.unknown_id, 0);
  EXPECT_EQ(spm.vocabulary.bos_id, 1);
  EXPECT_EQ(spm.vocabulary.eos_id, 2);
  EXPECT_EQ(spm.vocabulary.add_space_prefix, true);
  EXPECT_EQ(exported(sentencepiece("gemma")).vocabulary.add_space_prefix, false);
}

// Phi-3's way to swallow white space is the one that readers of GGUF know.
TEST(GgufExport, ControlTokensThatSwallowWhiteSpaceAsPhi3sDo) {
  Json tokenizer = sentencepiece("llama2-legacy");
  Json& added = tokenizer["added_tokens"];
  added.erase(added.begin() + 3, added.end());
  added[2]["rstrip"] = true;
  added.push_back({{"id", tokenizer["model"]["vocab"].size()},
                   {"content", "<|end|>"},
                   {"single_word", false},
                   {"lstrip", false},
                   {"rstrip", true},
                   {"normalized", false},
                   {"special", true}});
  const GgufExport found = exported(tokenizer);
  EXPECT_TRUE(found.strips_after_special);
  EXPECT_TRUE(found.warnings.empty());
  added[3]["rstrip"] = false;
  const GgufExport mixed = exported(tokenizer);
  EXPECT_FALSE(mixed.strips_after_special);
  EXPECT_TRUE(warns_of(mixed, "rstrip"));
}

TEST(GgufModelName, SaysThatControlTokensSwallowWhiteSpaceOrNot) {
  for (const char* name : {"Phi-3-mini", "Phi 3 Mini", "my phi3.5", "PHI-_3", "phi3"}) {
    EXPECT_TRUE(strips_after_special_by_name(name)) << name;
    EXPECT_EQ(name_that_strips(name, true), name);
    EXPECT_FALSE(strips_after_special_by_name(name_that_strips(name, false))) << name;
  }
  for (const char* name : {"phi-2", "Phi.3", "phi", "", "llama-3"}) {
    EXPECT_FALSE(strips_after_special_by_name(name)) << name;
    EXPECT_EQ(name_that_strips(name, false), name);
    EXPECT_TRUE(strips_after_special_by_name(name_that_strips(name, true))) << name;
  }
  EXPECT_EQ(name_that_strips("Phi-3-tests", false), "Phi.3-tests");
}

}  // namespace
}  // namespace llm::tokenizer
