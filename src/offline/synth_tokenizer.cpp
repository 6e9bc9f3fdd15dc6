#include "offline/synth_tokenizer.h"

#include <vector>

#include "tokenizer/tokenizer.h"

namespace llm::offline {
namespace {

using core::Json;

constexpr const char* kBosText = "<|begin_of_text|>";
constexpr const char* kEosText = "<|end_of_text|>";

std::string utf8_of(std::uint32_t code_point) {
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xc0 | code_point >> 6), static_cast<char>(0x80 | (code_point & 0x3f))};
}

// Spelling of all tokens. Byte-level vocabularies write a byte as a printable character: itself if
// it is one in Latin-1, else the next code point from 256 on (Radford et al. 2019, GPT-2).
std::vector<std::string> spellings(std::int64_t vocab_size) {
  std::vector<std::string> texts;
  std::uint32_t next = 256;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
    texts.push_back(utf8_of(printable ? byte : next++));
  }
  texts.emplace_back(kBosText);
  texts.emplace_back(kEosText);
  for (std::int64_t id = kSynthSmallestVocabulary; id < vocab_size; ++id) {
    texts.push_back("<|unused_" + std::to_string(id) + "|>");
  }
  return texts;
}

Json special_token(std::int32_t id, const char* text) {
  return {{"id", id},        {"content", text},     {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

}  // namespace

Json synth_tokenizer_json(std::int64_t vocab_size) {
  Json vocab = Json::object();
  const std::vector<std::string> texts = spellings(vocab_size);
  for (std::size_t id = 0; id < texts.size(); ++id) vocab[texts[id]] = id;
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  const Json bos = {{"SpecialToken", {{"id", kBosText}, {"type_id", 0}}}};
  const Json text_a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json text_b = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  return {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", {special_token(kSynthBos, kBosText), special_token(kSynthEos, kEosText)}},
      {"normalizer", nullptr},
      {"pre_tokenizer", byte_level},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", {bos, text_a}},
        {"pair", {bos, text_a, text_b}},
        {"special_tokens",
         {{kBosText,
           {{"id", kBosText}, {"ids", {kSynthBos}}, {"tokens", Json::array({kBosText})}}}}}}},
      {"decoder", byte_level},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"vocab", std::move(vocab)},
        {"merges", Json::array()}}}};
}

Json synth_tokenizer_config_json() {
  return {{"tokenizer_class", "PreTrainedTokenizerFast"},
          {"bos_token", kBosText},
          {"eos_token", kEosText},
          {"clean_up_tokenization_spaces", false}};
}

void add_synth_tokenizer(std::int64_t vocab_size, formats::GgufMetadata& metadata) {
  using formats::GgufArray;
  using tokenizer::TokenType;
  std::vector<std::int64_t> types(static_cast<std::size_t>(vocab_size),
                                  static_cast<std::int64_t>(TokenType::normal));
  types[kSynthBos] = types[kSynthEos] = static_cast<std::int64_t>(TokenType::control);
  metadata.set("tokenizer.ggml.model", "gpt2");
  metadata.set("tokenizer.ggml.pre", "gpt-2");
  metadata.set("tokenizer.ggml.tokens", GgufArray(spellings(vocab_size)));
  metadata.set("tokenizer.ggml.token_type", GgufArray(std::move(types)));
  metadata.set("tokenizer.ggml.merges", GgufArray(std::vector<std::string>()));
  metadata.set("tokenizer.ggml.bos_token_id", std::int64_t{kSynthBos});
  metadata.set("tokenizer.ggml.eos_token_id", std::int64_t{kSynthEos});
  metadata.set("tokenizer.ggml.add_bos_token", true);
}

}  // namespace llm::offline
