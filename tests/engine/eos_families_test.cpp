// The end tokens of every family: from a directory with what its published files say, and from a
// GGUF file, which has fewer ids and the texts of the tokens.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "engine/eos_tokens.h"
#include "engine/load_tokenizer.h"
#include "formats/model_file.h"
#include "formats/tensor_writer.h"
#include "support/temp_dir.h"

namespace llm::engine {
namespace {

namespace fs = std::filesystem;
using core::Json;
using Ids = std::vector<std::int32_t>;
using Tokens = std::map<std::string, std::int32_t>;

std::string show(const Result<EosTokens>& eos) {
  return eos ? Json(eos->ids()).dump() : eos.error().message();
}

struct Published {
  const char* name;
  std::int32_t vocab_size;
  Tokens tokens;           // control tokens
  Json generation_config;  // eos_token_id; null: no such file
  Json config;             // eos_token_id; null: absent
  const char* eos_token;   // of tokenizer_config.json; empty: no such file
  Ids expected;
};

const Tokens kLlama3 = {{"<|begin_of_text|>", 128000},   {"<|end_of_text|>", 128001},
                        {"<|eom_id|>", 128008},          {"<|eot_id|>", 128009},
                        {"<|start_header_id|>", 128006}, {"<|end_header_id|>", 128007}};
const Tokens kPhi3 = {{"<unk>", 0},
                      {"<s>", 1},
                      {"</s>", 2},
                      {"<|endoftext|>", 32000},
                      {"<|assistant|>", 32001},
                      {"<|placeholder1|>", 32002},
                      {"<|system|>", 32006},
                      {"<|end|>", 32007},
                      {"<|user|>", 32010}};
const Tokens kQwen = {{"<|endoftext|>", 151643}, {"<|im_start|>", 151644},
                      {"<|im_end|>", 151645},    {"<|fim_pad|>", 151662},
                      {"<|repo_name|>", 151663}, {"<|file_sep|>", 151664}};
const Tokens kYi = {{"<unk>", 0},
                    {"<|startoftext|>", 1},
                    {"<|endoftext|>", 2},
                    {"<|im_start|>", 6},
                    {"<|im_end|>", 7}};
const Tokens kLlama2 = {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
const Tokens kGemma = {
    {"<pad>", 0},          {"<eos>", 1}, {"<bos>", 2}, {"<unk>", 3}, {"<start_of_turn>", 106},
    {"<end_of_turn>", 107}};
const Tokens kGemma3 = {
    {"<pad>", 0},          {"<eos>", 1}, {"<bos>", 2}, {"<unk>", 3}, {"<start_of_turn>", 105},
    {"<end_of_turn>", 106}};
const Tokens kDeepseekLlm = {{"<｜begin▁of▁sentence｜>", 100000},
                             {"<｜end▁of▁sentence｜>", 100001}};
const Tokens kDeepseekCoder = {
    {"<｜begin▁of▁sentence｜>", 32013}, {"<｜end▁of▁sentence｜>", 32014}, {"<|EOT|>", 32021}};
const Tokens kDeepseekV3 = {{"<｜begin▁of▁sentence｜>", 0}, {"<｜end▁of▁sentence｜>", 1}};
const Tokens kR1Qwen = {{"<｜end▁of▁sentence｜>", 151643},
                        {"<｜User｜>", 151644},
                        {"<｜Assistant｜>", 151645},
                        {"<｜begin▁of▁sentence｜>", 151646}};
const Tokens kR1Llama = {{"<｜begin▁of▁sentence｜>", 128000},
                         {"<｜end▁of▁sentence｜>", 128001},
                         {"<|eom_id|>", 128008},
                         {"<|eot_id|>", 128009}};
const Tokens kStablelm2 = {
    {"<|endoftext|>", 100257}, {"<|im_start|>", 100277}, {"<|im_end|>", 100278}};

const std::vector<Published>& published() {
  static const auto* const kAll = new std::vector<Published>{
      {"Llama2", 32000, kLlama2, 2, 2, "</s>", {2}},
      {"Llama2WithoutIds", 32000, kLlama2, nullptr, nullptr, "", {2}},
      {"Llama3Base", 128256, kLlama3, 128001, 128001, "<|end_of_text|>", {128001, 128008, 128009}},
      {"Llama31Instruct",
       128256,
       kLlama3,
       {128001, 128008, 128009},
       {128001, 128008, 128009},
       "<|eot_id|>",
       {128001, 128008, 128009}},
      // Only tokenizer.json has the tokens that end a turn.
      {"Llama31OneIdOnly", 128256, kLlama3, nullptr, 128001, "", {128001, 128008, 128009}},
      {"Mistral", 32768, kLlama2, 2, 2, "</s>", {2}},
      {"Yi", 64000, kYi, nullptr, 2, "<|endoftext|>", {2, 7}},
      {"YiChat", 64000, kYi, 7, 2, "<|im_end|>", {2, 7}},
      {"Phi2", 51200, {{"<|endoftext|>", 50256}}, 50256, 50256, "<|endoftext|>", {50256}},
      {"Phi3", 32064, kPhi3, {32000, 32001, 32007}, 32000, "<|endoftext|>", {32000, 32001, 32007}},
      {"Phi3WithoutGenerationConfig",
       32064,
       kPhi3,
       nullptr,
       32000,
       "<|endoftext|>",
       {32000, 32001, 32007}},
      {"Phi4Mini",
       200064,
       {{"<|endoftext|>", 199999}, {"<|end|>", 200020}},
       {200020, 199999},
       199999,
       "<|endoftext|>",
       {199999, 200020}},
      {"Qwen25Instruct", 151936, kQwen, {151645, 151643}, 151645, "<|im_end|>", {151643, 151645}},
      {"Qwen25Base", 151936, kQwen, 151643, 151643, "<|endoftext|>", {151643, 151645}},
      {"Gemma2", 256000, kGemma, {1, 107}, 1, "<eos>", {1, 107}},
      {"Gemma2OneIdOnly", 256000, kGemma, nullptr, 1, "<eos>", {1, 107}},
      {"Gemma3", 262208, kGemma3, {1, 106}, {1, 106}, "<eos>", {1, 106}},
      {"DeepseekLlm", 102400, kDeepseekLlm, 100001, 100001, "<｜end▁of▁sentence｜>", {100001}},
      {"DeepseekCoderInstruct", 32256, kDeepseekCoder, 32021, 32021, "<|EOT|>", {32014, 32021}},
      {"DeepseekV3", 129280, kDeepseekV3, 1, 1, "<｜end▁of▁sentence｜>", {1}},
      {"R1DistillQwen", 151936, kR1Qwen, 151643, 151643, "<｜end▁of▁sentence｜>", {151643}},
      {"R1DistillLlama",
       128256,
       kR1Llama,
       128001,
       {128001, 128008, 128009},
       "<｜end▁of▁sentence｜>",
       {128001, 128008, 128009}},
      {"Falcon", 65024, {{"<|endoftext|>", 11}}, 11, 11, "<|endoftext|>", {11}},
      {"Stablelm2Chat", 100352, kStablelm2, 100257, 100257, "<|endoftext|>", {100257, 100278}},
      {"Starcoder2", 49152, {{"<|endoftext|>", 0}}, nullptr, 0, "<|endoftext|>", {0}},
      // <|end|> ends a message inside of the turn where these two exist.
      {"InnerEnd",
       201088,
       {{"<|endoftext|>", 199999},
        {"<|return|>", 200002},
        {"<|end|>", 200007},
        {"<|call|>", 200012}},
       {200002, 199999, 200012},
       200002,
       "<|return|>",
       {199999, 200002, 200012}},
  };
  return *kAll;
}

class PublishedFiles : public testing::TestWithParam<std::size_t> {};

TEST_P(PublishedFiles, EndTokens) {
  const Published& model = published()[GetParam()];
  const TempDir folder;
  const auto write = [&](const char* name, const Json& json) {
    std::ofstream(folder.path() / name) << json.dump();
  };
  auto weights =
      formats::TensorFileWriter::create_safetensors(folder.path() / "model.safetensors", {}, {});
  ASSERT_TRUE(weights && weights->finish().ok());
  Json vocab = {{"a", model.vocab_size - 1}}, added = Json::array();
  for (const auto& [text, id] : model.tokens) {
    added.push_back({{"id", id}, {"content", text}, {"special", true}});
  }
  write("tokenizer.json",
        {{"added_tokens", added},
         {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", Json::array()}}}});
  Json config = {{"model_type", "llama"}};
  if (!model.config.is_null()) config["eos_token_id"] = model.config;
  write("config.json", config);
  if (!model.generation_config.is_null()) {
    write("generation_config.json", {{"eos_token_id", model.generation_config}});
  }
  if (*model.eos_token != '\0') write("tokenizer_config.json", {{"eos_token", model.eos_token}});

  const auto file = formats::ModelFile::open(folder.path());
  ASSERT_TRUE(file.has_value()) << file.error().message();
  const auto tokenizer = load_tokenizer(*file);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message();
  const auto eos = find_eos_tokens(*file, **tokenizer, model.vocab_size);
  EXPECT_EQ(show(eos), Json(model.expected).dump());
}

struct Gguf {
  const char* name;
  const char* model;  // tokenizer.ggml.model
  std::size_t vocab_size;
  Tokens tokens;          // control tokens
  std::int32_t eos, eot;  // -1: the key is absent
  Ids expected;
};

const std::vector<Gguf>& ggufs() {
  static const auto* const kAll = new std::vector<Gguf>{
      {"Llama2", "llama", 32000, kLlama2, 2, -1, {2}},
      {"Llama2WithoutIds", "llama", 32000, kLlama2, -1, -1, {2}},
      {"Llama3", "gpt2", 128256, kLlama3, 128001, -1, {128001, 128008, 128009}},
      {"Llama3WithoutIds", "gpt2", 128256, kLlama3, -1, -1, {128001, 128008, 128009}},
      {"Yi", "llama", 64000, kYi, 2, -1, {2, 7}},
      {"Phi2", "gpt2", 51200, {{"<|endoftext|>", 50256}}, 50256, -1, {50256}},
      {"Phi3", "llama", 32064, kPhi3, 32000, -1, {32000, 32001, 32007}},
      {"Qwen2", "gpt2", 151936, kQwen, 151645, -1, {151643, 151645}},
      {"Gemma", "llama", 256000, kGemma, 1, 107, {1, 107}},
      {"GemmaWithoutEot", "llama", 256000, kGemma, 1, -1, {1, 107}},
      // Files of Gemma 3 name the end of the turn alone.
      {"Gemma3", "llama", 262144, kGemma3, 106, -1, {1, 106}},
      {"DeepseekLlm", "gpt2", 102400, kDeepseekLlm, 100001, -1, {100001}},
      {"DeepseekCoderInstruct", "gpt2", 32256, kDeepseekCoder, 32021, -1, {32014, 32021}},
      {"DeepseekV3", "gpt2", 129280, kDeepseekV3, 1, -1, {1}},
      {"R1DistillQwen", "gpt2", 151936, kR1Qwen, 151643, -1, {151643}},
      {"Falcon", "gpt2", 65024, {{"<|endoftext|>", 11}}, 11, -1, {11}},
      {"Stablelm2", "gpt2", 100352, kStablelm2, 100257, -1, {100257, 100278}},
      {"Starcoder2", "gpt2", 49152, {{"<|endoftext|>", 0}}, 0, -1, {0}},
      {"InnerEnd",
       "gpt2",
       201088,
       {{"<|return|>", 200002}, {"<|end|>", 200007}, {"<|call|>", 200012}},
       200002,
       -1,
       {200002, 200012}},
  };
  return *kAll;
}

class GgufFiles : public testing::TestWithParam<std::size_t> {};

TEST_P(GgufFiles, EndTokens) {
  constexpr std::int64_t kUnused = 5, kControl = 3;
  const Gguf& model = ggufs()[GetParam()];
  std::vector<std::string> texts;
  for (std::size_t id = 0; id < model.vocab_size; ++id)
    texts.push_back("[PAD" + std::to_string(id) + "]");
  std::vector<std::int64_t> types(model.vocab_size, kUnused);
  for (const auto& [text, id] : model.tokens) {
    texts[static_cast<std::size_t>(id)] = text;
    types[static_cast<std::size_t>(id)] = kControl;
  }
  formats::GgufMetadata metadata;
  const auto put = [&metadata](const char* key, auto value) {
    EXPECT_TRUE(metadata.insert(key, std::move(value))) << key;
  };
  put("general.architecture", std::string("llama"));
  put("tokenizer.ggml.model", std::string(model.model));
  put("tokenizer.ggml.pre", std::string("gpt-2"));
  put("tokenizer.ggml.tokens", formats::GgufArray(texts));
  put("tokenizer.ggml.token_type", formats::GgufArray(types));
  put("tokenizer.ggml.scores", formats::GgufArray(std::vector<double>(model.vocab_size, 0)));
  put("tokenizer.ggml.merges", formats::GgufArray(std::vector<std::string>{}));
  if (model.eos >= 0) put("tokenizer.ggml.eos_token_id", std::int64_t{model.eos});
  if (model.eot >= 0) put("tokenizer.ggml.eot_token_id", std::int64_t{model.eot});
  const TempDir folder;
  const fs::path path = folder.path() / "model.gguf";
  auto writer = formats::TensorFileWriter::create_gguf(path, {}, metadata);
  ASSERT_TRUE(writer && writer->finish().ok());

  const auto file = formats::ModelFile::open(path);
  ASSERT_TRUE(file.has_value()) << file.error().message();
  const auto tokenizer = load_tokenizer(*file);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message();
  const auto eos = find_eos_tokens(*file, **tokenizer, static_cast<std::int64_t>(model.vocab_size));
  EXPECT_EQ(show(eos), Json(model.expected).dump());
}

INSTANTIATE_TEST_SUITE_P(Families, PublishedFiles,
                         testing::Range<std::size_t>(0, published().size()),
                         [](const auto& test) { return published()[test.param].name; });
INSTANTIATE_TEST_SUITE_P(Families, GgufFiles, testing::Range<std::size_t>(0, ggufs().size()),
                         [](const auto& test) { return ggufs()[test.param].name; });

}  // namespace
}  // namespace llm::engine
