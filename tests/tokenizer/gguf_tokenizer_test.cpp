// Vocabularies as GGUF files hold them, made by hand.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>

#include "llm/log.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/gguf_pre_split.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

using Ids = std::vector<std::int32_t>;
constexpr EncodeOptions kPlain{.add_special = false, .parse_special = true};

constexpr std::int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kByte = 6;

// 0 <unk>, 1 <s>, 2 </s>, 3.. bytes, 259.. pieces
GgufVocabulary spm() {
  GgufVocabulary v;
  v.model = "llama";
  const auto add = [&v](std::string text, float score, std::int32_t type) {
    v.tokens.push_back(std::move(text));
    v.scores.push_back(score);
    v.token_types.push_back(type);
  };
  add("<unk>", 0, kUnknown);
  add("<s>", 0, kControl);
  add("</s>", 0, kControl);
  for (unsigned byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    add(name, 0, kByte);
  }
  add("\u2581", -10, kNormal);     // 259
  add("a", -11, kNormal);          // 260
  add("\u2581a", -1, kNormal);     // 261
  add("<tool>", 0, kUserDefined);  // 262
  add("<s", -3, kNormal);          // 263
  add("<", -12, kNormal);          // 264
  add("s", -12, kNormal);          // 265
  add(">", -12, kNormal);          // 266
  return v;
}

GgufVocabulary byte_level(const std::string& pre) {
  GgufVocabulary v;
  v.model = "gpt2";
  v.pre = pre;
  for (unsigned byte = 0; byte < 256; ++byte) {
    v.tokens.push_back(to_utf8(byte_to_char(static_cast<std::uint8_t>(byte))));
  }
  v.tokens.insert(v.tokens.end(), {"ab", "\u0120ab", "<|end|>", "12"});  // 256 to 259
  v.merges = {"a b", "\u0120 ab", "1 2"};
  return v;
}

std::unique_ptr<Tokenizer> build(GgufVocabulary v) {
  auto result = tokenizer_from_gguf(std::move(v));
  EXPECT_TRUE(result.has_value()) << result.error().message();
  return result ? std::move(result).value() : nullptr;
}

std::string error_of(GgufVocabulary v) {
  const auto result = tokenizer_from_gguf(std::move(v));
  return result ? "accepted" : result.error().message();
}

TEST(GgufSpm, SpaceAtTheStartAndAfterSpecialTokens) {
  const auto tokenizer = build(spm());
  EXPECT_EQ(*tokenizer->encode("a a"), Ids({1, 261, 261}));
  EXPECT_EQ(*tokenizer->encode("a</s>a", kPlain), Ids({261, 2, 261}));
  EXPECT_EQ(*tokenizer->encode("", kPlain), Ids({}));
  EXPECT_EQ(*tokenizer->encode(""), Ids({1}));
  EXPECT_EQ(*tokenizer->decode(Ids({1, 261, 261}), true), "a a");
  EXPECT_TRUE(tokenizer->strips_leading_space());

  GgufVocabulary gemma = spm();
  gemma.add_space_prefix = false;
  const auto bare = build(gemma);
  EXPECT_EQ(*bare->encode("a a", kPlain), Ids({260, 261}));
  EXPECT_EQ(*bare->decode(Ids({261}), true), " a");
}

// Text never becomes a control token, even where its pieces would merge into the same spelling.
TEST(GgufSpm, WithoutParseSpecialControlTokensAreText) {
  const auto tokenizer = build(spm());
  EXPECT_EQ(*tokenizer->encode("<s>a", kPlain), Ids({1, 261}));
  EXPECT_EQ(*tokenizer->encode("<s><tool>", {.add_special = false, .parse_special = false}),
            Ids({259, 263, 266, 262}));
}

TEST(GgufSpm, BytesForUnknownCharacters) {
  const auto tokenizer = build(spm());
  EXPECT_EQ(*tokenizer->encode("\u00E9", kPlain), Ids({259, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(*tokenizer->decode(Ids({259, 3 + 0xC3, 3 + 0xA9, 3 + 0xC3}), true), "\u00E9\uFFFD");
  EXPECT_EQ(tokenizer->token_bytes(3 + 0xC3), "\xC3");
  EXPECT_EQ(tokenizer->token_bytes(2), "");
  EXPECT_EQ(tokenizer->token_bytes(262), "<tool>");
}

TEST(GgufSpm, EndTokens) {
  GgufVocabulary v = spm();
  v.add_bos = false;
  v.add_eos = true;
  EXPECT_EQ(*build(v)->encode("a"), Ids({261, 2}));
  v.eos_id = 500;
  EXPECT_EQ(error_of(v),
            "GGUF vocabulary: add_eos_token is set, but eos_token_id is 500; the vocabulary has "
            "267 tokens");
}

TEST(GgufSpm, Phi3SwallowsSpaceAfterSpecialTokens) {
  GgufVocabulary v = spm();
  EXPECT_EQ(*build(v)->encode("<tool> \na", kPlain), Ids({262, 259, 259, 3 + '\n', 260}));
  v.architecture = "phi3";
  EXPECT_EQ(*build(v)->encode("<tool> \na", kPlain), Ids({262, 261}));
  EXPECT_EQ(*build(v)->encode("<tool>\u0085\u3000a", kPlain), Ids({262, 261}));
  EXPECT_EQ(*build(v)->encode("<s> a", kPlain), Ids({1, 259, 261}));
}

// Longer tokens go first even where a shorter one begins further left.
TEST(GgufSpecialTokens, LongestFirst) {
  GgufVocabulary v = spm();
  for (const char* text : {"[xy", "xyz]", "[", "]"}) {  // 267 to 270
    v.tokens.push_back(text);
    v.scores.push_back(0);
    v.token_types.push_back(kControl);
  }
  v.add_space_prefix = false;
  const auto tokenizer = build(v);
  EXPECT_EQ(*tokenizer->encode("[xyz]", kPlain), Ids({269, 268}));
  EXPECT_EQ(*tokenizer->encode("[xya]", kPlain), Ids({267, 260, 270}));
}

TEST(GgufSpecialTokens, RunsOfOneCharacterAreQuick) {
  GgufVocabulary v = spm();
  for (std::size_t length = 1; length <= 31; ++length) {  // as Gemma has them
    v.tokens.push_back(std::string(length, '\n'));
    v.scores.push_back(0);
    v.token_types.push_back(kUserDefined);
  }
  const auto tokenizer = build(v);
  const auto start = std::chrono::steady_clock::now();
  const Ids ids = *tokenizer->encode(std::string(1'000'000, '\n'), kPlain);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  EXPECT_EQ(ids.size(), 1'000'000u / 31 + 1);
  EXPECT_EQ(ids.back(), 267 + 1'000'000 % 31 - 1);
}

TEST(GgufByteLevel, EncodesAndDecodes) {
  const auto tokenizer = build(byte_level("gpt-2"));
  EXPECT_EQ(*tokenizer->encode("ab ab\xC3\xA9"), Ids({256, 257, 0xC3, 0xA9}));
  EXPECT_EQ(*tokenizer->decode(Ids({256, 257, 0xC3, 0xA9}), true), "ab ab\u00E9");
  EXPECT_FALSE(tokenizer->strips_leading_space());
  // A known end text is a control token, whatever the file says.
  EXPECT_TRUE(tokenizer->is_special(258));
  EXPECT_EQ(*tokenizer->encode("ab<|end|>"), Ids({256, 258}));
  EXPECT_EQ(tokenizer->encode("<|end|>", {.add_special = false, .parse_special = false})->size(),
            7u);
}

TEST(GgufByteLevel, PreSplitsDiffer) {
  EXPECT_EQ(*build(byte_level("gpt-2"))->encode("12", kPlain), Ids({259}));
  EXPECT_EQ(*build(byte_level("starcoder"))->encode("12", kPlain), Ids({'1', '2'}));
  EXPECT_EQ(*build(byte_level(""))->encode("12", kPlain),
            *build(byte_level("default"))->encode("12", kPlain));
  EXPECT_EQ(error_of(byte_level("gpt-17")),
            "GGUF vocabulary: tokenizer.ggml.pre \"gpt-17\" is not known");
}

// A log sink for as long as it lives.
class Log {
 public:
  Log() {
    set_log_sink([this](LogLevel level, std::string_view message) {
      if (level == LogLevel::warning) text_ += message;
    });
  }
  ~Log() { set_log_sink({}); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Files from before tokenizer.ggml.pre: the architecture or the tokens tell, or llama.cpp's default
// is used; never in silence.
TEST(GgufByteLevel, WithoutAPreSplit) {
  const auto without = [](const std::string& architecture, std::vector<std::string> more = {}) {
    GgufVocabulary v = byte_level("");
    v.architecture = architecture;
    v.tokens.insert(v.tokens.end(), more.begin(), more.end());
    return v;
  };
  // "12" is one token where numbers are one word, and the default cuts "'S" like GPT-2.
  const Log log;
  EXPECT_EQ(*build(without("starcoder2"))->encode("12", kPlain), Ids({'1', '2'}));
  EXPECT_EQ(*build(without("phi2"))->encode("12", kPlain), Ids({259}));
  EXPECT_EQ(*build(without("qwen2"))->encode("12", kPlain), Ids({'1', '2'}));
  EXPECT_EQ(log.text().find("not recognised"), std::string::npos) << log.text();
  EXPECT_NE(log.text().find("it is \"starcoder\""), std::string::npos) << log.text();

  const Log unknown;
  EXPECT_EQ(*build(without("llama"))->encode("12", kPlain),
            *build(byte_level("default"))->encode("12", kPlain));
  EXPECT_NE(unknown.text().find("the family is not recognised"), std::string::npos);
  const Log named;
  EXPECT_NE(build(byte_level("gpt-2")), nullptr);
  EXPECT_EQ(named.text(), "");
}

TEST(GgufByteLevel, TokensTellTheFamily) {
  using Vocabulary = std::vector<std::pair<std::string_view, std::int32_t>>;
  const auto infer = [](std::string_view architecture, std::size_t size, Vocabulary tokens) {
    return infer_gguf_pre_split(architecture, size, [&](std::string_view text) {
      for (const auto& [token, id] : tokens) {
        if (token == text) return id;
      }
      return -1;
    });
  };
  EXPECT_EQ(infer("llama", 128256, {{"<|begin_of_text|>", 128000}, {"<|eot_id|>", 128009}}),
            "llama-bpe");
  EXPECT_EQ(infer("llama", 102400, {{"<｜begin▁of▁sentence｜>", 100000}}), "deepseek-llm");
  EXPECT_EQ(infer("llama", 32256, {{"<｜begin▁of▁sentence｜>", 32013}}), "deepseek-coder");
  EXPECT_EQ(infer("deepseek2", 129280, {{"<｜begin▁of▁sentence｜>", 0}}), "deepseek-v3");
  EXPECT_EQ(infer("llama", 131072, {{"[INST]", 3}, {"[IMG]", 10}}), "tekken");
  EXPECT_EQ(infer("phi3", 200064, {{"<|endofprompt|>", 200018}}), "gpt-4o");
  EXPECT_EQ(infer("stablelm", 100352, {}), "stablelm2");
  EXPECT_EQ(infer("stablelm", 50304, {}), "gpt-2");
  EXPECT_EQ(infer("falcon", 65024, {}), "falcon");
  EXPECT_EQ(infer("qwen3moe", 151936, {}), "qwen2");
  EXPECT_EQ(infer("llama", 320, {}), "");
}

// Qwen's own tokenizer composes characters; the files do not say so.
TEST(GgufByteLevel, QwenComposesCharacters) {
  const Ids composed = {0xC3, 0xA9};
  EXPECT_EQ(*build(byte_level("qwen2"))->encode("e\u0301", kPlain), composed);
  EXPECT_EQ(*build(byte_level("deepseek-r1-qwen"))->encode("e\u0301", kPlain), composed);
  EXPECT_EQ(*build(byte_level("stablelm2"))->encode("e\u0301", kPlain), composed);
  EXPECT_EQ(*build(byte_level("llama-bpe"))->encode("e\u0301", kPlain), Ids({'e', 0xCC, 0x81}));
}

TEST(GgufCharacters, MergesOverCharactersWithMarksForSpaces) {
  GgufVocabulary v;
  v.model = "gemma4";
  const auto add = [&v](std::string text, std::int32_t type) {
    v.tokens.push_back(std::move(text));
    v.token_types.push_back(type);
  };
  add("<bos>", kControl);
  for (unsigned byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte), kByte);
  for (const char* text : {"a", "b", "\u2581", "\n", "ab", "\u2581ab", "\n\n"}) {  // 257 to 263
    add(text, kNormal);
  }
  v.merges = {"a b", "\u2581 ab", "\n \n"};
  v.bos_id = 0;
  const auto tokenizer = build(v);
  EXPECT_EQ(*tokenizer->encode("ab ab\n\n"), Ids({0, 261, 262, 263}));
  EXPECT_EQ(*tokenizer->encode("\u00E9 a", kPlain), Ids({1 + 0xC3, 1 + 0xA9, 259, 257}));
  EXPECT_EQ(*tokenizer->encode("<0x41>", kPlain),
            Ids({1 + '<', 1 + '0', 1 + 'x', 1 + '4', 1 + '1', 1 + '>'}));
  EXPECT_EQ(*tokenizer->decode(Ids({0, 262, 1 + 0xC3, 1 + 0xA9, 259, 257}), true), " ab\u00E9 a");
  EXPECT_FALSE(tokenizer->strips_leading_space());
  v.merges = {"a \u2581"};
  EXPECT_NE(error_of(v), "accepted");
}

TEST(GgufByteLevel, BosByDefaultForSomeFamilies) {
  GgufVocabulary v = byte_level("llama-bpe");
  v.bos_id = 258;
  EXPECT_EQ(*build(v)->encode("ab"), Ids({258, 256}));
  v.add_bos = false;
  EXPECT_EQ(*build(v)->encode("ab"), Ids({256}));
  GgufVocabulary qwen = byte_level("qwen2");
  qwen.bos_id = 258;
  EXPECT_EQ(*build(qwen)->encode("ab"), Ids({256}));
  GgufVocabulary missing = byte_level("qwen2");
  missing.add_bos = true;
  EXPECT_EQ(error_of(missing),
            "GGUF vocabulary: add_bos_token is set, but bos_token_id is -1; the vocabulary has 260 "
            "tokens");
}

// Every expression of the table compiles, and the splits keep the whole text.
TEST(GgufByteLevel, EveryPreSplit) {
  const std::string text =
      "Hello  W\u00F6rld's 12345 \u4F60\u597D, \u0915\u094D!!\r\n\n\t x_y \u30AB\u30CA\U0001F600  "
      " ";
  for (const char* name : {"default",
                           "llama3",
                           "llama-v3",
                           "llama-bpe",
                           "falcon3",
                           "pixtral",
                           "dbrx",
                           "smaug-bpe",
                           "chatglm-bpe",
                           "qwen2",
                           "deepseek-r1-qwen",
                           "stablelm2",
                           "megrez",
                           "kormo",
                           "f2llmv2",
                           "qwen35",
                           "ufakzeka",
                           "seed-coder",
                           "midm-2.0",
                           "glm4",
                           "a.x-4.0",
                           "mellum",
                           "trillion",
                           "granite-docling",
                           "mellum2",
                           "joyai-llm",
                           "youtu",
                           "kanana2",
                           "minicpm5",
                           "gpt-2",
                           "phi-2",
                           "mpt",
                           "olmo",
                           "jais",
                           "starcoder",
                           "refact",
                           "command-r",
                           "smollm",
                           "codeshell",
                           "exaone",
                           "minerva-7b",
                           "falcon",
                           "deepseek-llm",
                           "deepseek-coder",
                           "deepseek-v3",
                           "tekken",
                           "gpt-4o",
                           "llama4",
                           "bloom",
                           "poro-chat",
                           "gpt3-finnish",
                           "viking"}) {
    ASSERT_NE(find_gguf_pre_split(name), nullptr) << name;
    const auto tokenizer = build(byte_level(name));
    ASSERT_NE(tokenizer, nullptr) << name;
    const auto ids = tokenizer->encode(text, kPlain);
    ASSERT_TRUE(ids.has_value()) << name;
    EXPECT_EQ(*tokenizer->decode(*ids, true), text) << name;
  }
  EXPECT_EQ(find_gguf_pre_split("nothing"), nullptr);
}

TEST(Gguf, BrokenTables) {
  GgufVocabulary v = spm();
  v.scores.pop_back();
  EXPECT_EQ(error_of(v), "GGUF vocabulary: 266 scores for 267 tokens");
  v = spm();
  v.token_types.push_back(1);
  EXPECT_EQ(error_of(v), "GGUF vocabulary: 268 token types for 267 tokens");
  v = spm();
  v.token_types[5] = 9;
  EXPECT_EQ(error_of(v), "GGUF vocabulary: token 5 has type 9; types go from 1 to 6");
  v = spm();
  v.tokens[260] = "s";
  EXPECT_EQ(error_of(v), "GGUF vocabulary: token \"s\" has both id 260 and id 265");
  v = spm();
  v.tokens[260] = "\xFF";
  EXPECT_EQ(error_of(v), "GGUF vocabulary: the text of token 260 is not UTF-8");
  v = spm();
  v.token_types[260] = kByte;
  EXPECT_EQ(error_of(v), "GGUF vocabulary: byte token 260 is spelled \"a\"");
  v = spm();
  v.model = "bert";
  EXPECT_EQ(error_of(v),
            "GGUF vocabulary: tokenizer.ggml.model \"bert\" (supported: llama, gpt2, gemma4)");
  EXPECT_EQ(error_of({}), "GGUF vocabulary: there are no tokens");
  v = byte_level("gpt-2");
  v.merges.push_back("nospace");
  EXPECT_EQ(error_of(v), "GGUF vocabulary: merges[3] is \"nospace\", expected \"left right\"");
  v.merges.back() = "a c";
  EXPECT_EQ(error_of(v),
            "GGUF vocabulary: merges[3] (\"a\" and \"c\"): \"ac\" is not in the vocabulary");
  v.merges.back() = "";
  EXPECT_NE(error_of(v), "accepted");
}

}  // namespace
}  // namespace llm::tokenizer
