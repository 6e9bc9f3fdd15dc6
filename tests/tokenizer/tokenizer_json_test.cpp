#include <gtest/gtest.h>

#include <random>

#include "core/json.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/tokenizer.h"

namespace llm::tokenizer {
namespace {

using Ids = std::vector<std::int32_t>;
using core::Json;

// A small SentencePiece-like tokenizer with bytes; tests change parts of it.
Json document() {
  Json json = Json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [
      {"id": 0, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
      {"id": 1, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
      {"id": 270, "content": "<tool>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false}],
    "normalizer": {"type": "Sequence", "normalizers": [
      {"type": "Prepend", "prepend": "\u2581"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
    "pre_tokenizer": null,
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
    "decoder": {"type": "Sequence", "decoders": [
      {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
      {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
      "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true,
      "vocab": {"<unk>": 0, "<s>": 1, "\u2581": 260, "a": 261, "b": 262, "ab": 263, "\u2581ab": 264},
      "merges": ["a b", ["\u2581", "ab"]]}})");
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
    json["model"]["vocab"][name] = 2 + byte;
  }
  return json;
}

std::string error_of(const Json& json, const std::string& config = "") {
  const auto result = tokenizer_from_json(json.dump(), config);
  return result ? "accepted" : result.error().message();
}

std::unique_ptr<Tokenizer> build(const Json& json = document(), const std::string& config = "") {
  auto result = tokenizer_from_json(json.dump(), config);
  EXPECT_TRUE(result.has_value()) << result.error().message();
  return result ? std::move(result).value() : nullptr;
}

TEST(TokenizerJson, EncodesAndDecodes) {
  const auto tokenizer = build();
  EXPECT_EQ(*tokenizer->encode("ab a"), Ids({1, 264, 260, 261}));
  EXPECT_EQ(*tokenizer->encode("ab", {.add_special = false}), Ids({264}));
  EXPECT_EQ(*tokenizer->encode(""), Ids({1}));
  EXPECT_EQ(*tokenizer->encode("a<tool>b"), Ids({1, 260, 261, 270, 260, 262}));
  EXPECT_EQ(*tokenizer->encode("x"), Ids({1, 260, 2 + 'x'}));
  EXPECT_EQ(*tokenizer->decode(Ids({1, 264, 260, 261}), true), "ab a");
  EXPECT_EQ(*tokenizer->decode(Ids({1, 264}), false), "<s> ab");
  EXPECT_EQ(tokenizer->vocab_size(), 271);
  EXPECT_TRUE(tokenizer->strips_leading_space());
}

// Control tokens written by a user are text unless asked for; other added tokens always split.
TEST(TokenizerJson, ParseSpecialConcernsControlTokensOnly) {
  const auto tokenizer = build();
  EXPECT_EQ(*tokenizer->encode("<s>a", {.add_special = false}), Ids({1, 260, 261}));
  const Ids text = *tokenizer->encode("<s><tool>", {.add_special = false, .parse_special = false});
  EXPECT_EQ(text, Ids({260, 2 + '<', 2 + 's', 2 + '>', 270}));
}

TEST(TokenizerJson, TokensById) {
  const auto tokenizer = build();
  EXPECT_EQ(tokenizer->token_text(264), "\u2581ab");
  EXPECT_EQ(tokenizer->token_text(270), "<tool>");
  EXPECT_EQ(tokenizer->token_text(269), "");  // a hole
  EXPECT_EQ(tokenizer->token_id("ab"), 263);
  EXPECT_EQ(tokenizer->token_id("<tool>"), 270);
  EXPECT_EQ(tokenizer->token_id("nothing"), std::nullopt);
  EXPECT_TRUE(tokenizer->is_special(1));
  EXPECT_FALSE(tokenizer->is_special(270));
  EXPECT_EQ(tokenizer->token_bytes(264), " ab");
  EXPECT_EQ(tokenizer->token_bytes(2 + 0xE4), "\xE4");
  EXPECT_EQ(tokenizer->token_bytes(1), "");
  EXPECT_EQ(tokenizer->token_bytes(269), "");
}

TEST(TokenizerJson, DecodeOutOfRangeIsAnError) {
  const auto tokenizer = build();
  for (const std::int32_t id : {-1, 271, 1 << 30}) {
    const auto text = tokenizer->decode(Ids({261, id}), true);
    ASSERT_FALSE(text.has_value());
    EXPECT_EQ(text.error().code(), StatusCode::invalid_argument);
  }
  EXPECT_EQ(*tokenizer->decode(Ids({261, 269}), true), "a");  // a hole prints nothing
}

TEST(TokenizerJson, InvalidUtf8IsReadAsReplacementCharacters) {
  const auto tokenizer = build();
  EXPECT_EQ(*tokenizer->encode("a\xE4\xBD"
                               "b"),
            *tokenizer->encode("a\uFFFD"
                               "b"));
}

TEST(TokenizerJson, ConfigMayReplaceAddedTokens) {
  const auto tokenizer = build(document(), R"({"added_tokens_decoder": {
      "270": {"content": "<tool>", "special": true, "lstrip": false, "normalized": false, "rstrip": true, "single_word": false},
      "280": {"content": "<new>", "special": true, "lstrip": false, "normalized": false, "rstrip": false, "single_word": false}}})");
  EXPECT_TRUE(tokenizer->is_special(270));
  EXPECT_EQ(*tokenizer->encode("<tool>  <new>", {.add_special = false}), Ids({270, 280}));
  EXPECT_EQ(tokenizer->vocab_size(), 281);
}

// tokenizer.json's own post-processor has the last word; without one, the configuration says.
TEST(TokenizerJson, BosFromConfigOnlyWithoutPostProcessor) {
  const std::string config =
      R"({"add_bos_token": true, "bos_token": {"content": "<s>"}, "add_eos_token": true, "eos_token": "<unk>"})";
  EXPECT_EQ(*build(document(), config)->encode("a"), Ids({1, 260, 261}));
  Json json = document();
  json["post_processor"] = nullptr;
  EXPECT_EQ(*build(json)->encode("a"), Ids({260, 261}));
  EXPECT_EQ(*build(json, config)->encode("a"), Ids({1, 260, 261, 0}));
  EXPECT_EQ(error_of(json, R"({"add_bos_token": true, "bos_token": "<bos>"})"),
            "tokenizer_config.json: bos_token: this token is not in the vocabulary");
}

TEST(TokenizerJson, ErrorsNameThePart) {
  const auto changed = [](const char* pointer, const char* value) {
    Json json = document();
    json[Json::json_pointer(pointer)] = Json::parse(value);
    return error_of(json);
  };
  EXPECT_EQ(
      changed(
          "/pre_tokenizer",
          R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"UnicodeScripts"}]})"),
      "tokenizer.json: pre_tokenizer.pretokenizers[1]: unsupported type \"UnicodeScripts\"");
  EXPECT_EQ(changed("/model/type", "\"Unigram\""),
            "tokenizer.json: model: unsupported type \"Unigram\"");
  EXPECT_EQ(changed("/model/dropout", "0.1"), "tokenizer.json: model.dropout: not supported");
  EXPECT_EQ(changed("/model/end_of_word_suffix", "\"</w>\""),
            "tokenizer.json: model.end_of_word_suffix: not supported");
  EXPECT_EQ(
      changed("/model/merges/0", "\"a  b\""),
      "tokenizer.json: model.merges: item 0: expected \"left right\" or [\"left\", \"right\"]");
  EXPECT_EQ(changed("/model/merges/1", R"(["b","a"])"),
            "tokenizer.json: model: merges[1] (\"b\" and \"a\"): \"ba\" is not in the vocabulary");
  EXPECT_EQ(changed("/model/vocab/ab", "261"),
            "tokenizer.json: model.vocab: id 261 belongs to both \"a\" and \"ab\"");
  EXPECT_EQ(changed("/model/vocab/ab", "-1"),
            "tokenizer.json: model.vocab: token \"ab\" has no valid id");
  EXPECT_EQ(
      changed("/model/vocab/ab", "2000000000"),
      "tokenizer.json: model.vocab: token \"ab\" has id 2000000000; ids go from 0 to 4194303");
  EXPECT_EQ(changed("/model/unk_token", "\"<none>\""),
            "tokenizer.json: model: unk_token \"<none>\" is not in the vocabulary");
  EXPECT_EQ(changed("/added_tokens/0/id", "5"),
            "tokenizer.json: added_tokens[0]: \"<unk>\" has id 5, but \"<unk>\" has id 0");
  EXPECT_EQ(changed("/added_tokens/2/id", "261"),
            "tokenizer.json: added_tokens[2]: \"<tool>\" has id 261, but \"a\" has id 261");
  EXPECT_EQ(changed("/added_tokens/2/id", "100000000"),
            "tokenizer.json: added_tokens[2]: id 100000000 is too large");
  EXPECT_EQ(changed("/added_tokens/2/extra", "1"),
            "tokenizer.json: added_tokens[2]: unknown option \"extra\"");
  EXPECT_EQ(changed("/post_processor/special_tokens/<s>/ids/0", "269"),
            "tokenizer.json: post_processor: there is no token with id 269");
  EXPECT_EQ(changed("/decoder/decoders/1/type", "\"BPEDecoder\""),
            "tokenizer.json: decoder.decoders[1]: unsupported type \"BPEDecoder\"");
  EXPECT_EQ(changed("/version", "\"2.0\""), "tokenizer.json: version: unknown version \"2.0\"");
  EXPECT_EQ(changed("/surprise", "1"), "tokenizer.json: unknown option \"surprise\"");
  EXPECT_EQ(tokenizer_from_json("[]", "").error().message(),
            "tokenizer.json: expected an object, found array");
  EXPECT_EQ(tokenizer_from_json("{", "").error().message().substr(0, 28),
            "tokenizer.json: invalid JSON");
}

// Pieces concatenate to decode(), for arbitrary ids: broken bytes, control tokens between bytes.
TEST(StreamDecoder, ConcatenatesToDecode) {
  const auto tokenizer = build();
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    Ids ids(random() % 12);
    for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random() % 271);
    StreamDecoder stream(*tokenizer, /*continues_text=*/false);
    std::string text;
    for (const std::int32_t id : ids) text += stream.push(id);
    text += stream.finish();
    ASSERT_EQ(text, *tokenizer->decode(ids, true));
    ASSERT_FALSE(stream.holding());
  }
}

TEST(StreamDecoder, HoldsBytesBackAndKeepsTheLeadingSpace) {
  const auto tokenizer = build();
  StreamDecoder stream(*tokenizer, /*continues_text=*/true);
  EXPECT_EQ(stream.push(264), " ab");
  EXPECT_EQ(stream.push(2 + 0xE4), "");
  EXPECT_TRUE(stream.holding());
  EXPECT_EQ(stream.push(1), "");  // a control token prints nothing and changes nothing
  EXPECT_EQ(stream.push(2 + 0xBD), "");
  EXPECT_EQ(stream.push(2 + 0xA0), "");  // complete, but a further byte could still break the run
  EXPECT_EQ(stream.push(261), "\u4F60a");
  EXPECT_FALSE(stream.holding());
  EXPECT_EQ(stream.push(2 + 0xE4), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.push(-1), "");
  EXPECT_EQ(stream.push(100000), "");
}

}  // namespace
}  // namespace llm::tokenizer
