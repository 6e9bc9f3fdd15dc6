// Every published config.json of tests/fixtures/configs is accepted and means what its model card
// says: sizes, heads, rotary positions, windows, experts.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "models/edited_fixture.h"

namespace llm::models {
namespace {

namespace fs = std::filesystem;
using enum RopeScaling;

fs::path folder() { return fs::path(LLM_SOURCE_DIR) / "tests/fixtures/configs"; }

ModelConfig read(const std::string& name) {
  std::ifstream file(folder() / (name + ".json"));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto json = core::parse_json(text, name);
  EXPECT_TRUE(json) << json.error().message();
  auto config = json ? read_json(*json) : Result<ModelConfig>(json.error());
  EXPECT_TRUE(config) << config.error().message();
  return config ? std::move(*config) : ModelConfig{.ropes = {{}}};
}

struct Published {
  const char* name;
  const char* family;
  std::int64_t hidden, ffn, layers, heads, kv_heads, head_dim, vocab, positions;
  double theta;
  double eps = 1e-5;
  bool tied = false;
  RopeScaling scaling = none;
  double factor = 1;
  int rotary = 0;  // 0: head_dim
};

// clang-format off
const Published kPublished[] = {
  {"llama-7b", "llama", 4096, 11008, 32, 32, 32, 128, 32000, 2048, 1e4, 1e-6},
  {"llama-2-7b-chat", "llama", 4096, 11008, 32, 32, 32, 128, 32000, 4096, 1e4},
  {"llama-2-70b", "llama", 8192, 28672, 80, 64, 8, 128, 32000, 4096, 1e4},
  {"llama-3-8b-instruct", "llama", 4096, 14336, 32, 32, 8, 128, 128256, 8192, 5e5},
  {"llama-3.1-8b-instruct", "llama", 4096, 14336, 32, 32, 8, 128, 128256, 131072, 5e5, 1e-5, false, llama3, 8},
  {"llama-3.1-405b", "llama", 16384, 53248, 126, 128, 8, 128, 128256, 131072, 5e5, 1e-5, false, llama3, 8},
  {"llama-3.2-1b-instruct", "llama", 2048, 8192, 16, 32, 8, 64, 128256, 131072, 5e5, 1e-5, true, llama3, 32},
  {"llama-3.2-1b-instruct-resaved", "llama", 2048, 8192, 16, 32, 8, 64, 128256, 131072, 5e5, 1e-5, true, llama3, 32},
  {"llama-3.2-3b-instruct", "llama", 3072, 8192, 28, 24, 8, 128, 128256, 131072, 5e5, 1e-5, true, llama3, 32},
  {"llama-3.3-70b-instruct", "llama", 8192, 28672, 80, 64, 8, 128, 128256, 131072, 5e5, 1e-5, false, llama3, 8},
  {"smollm2-135m", "llama", 576, 1536, 30, 9, 3, 64, 49152, 8192, 1e5, 1e-5, true},
  {"smollm3-3b", "smollm3", 2048, 11008, 36, 16, 4, 128, 128256, 65536, 5e6, 1e-6, true},
  {"yi-6b", "llama", 4096, 11008, 32, 32, 4, 128, 64000, 4096, 5e6},
  {"yi-1.5-34b-chat", "llama", 7168, 20480, 60, 56, 8, 128, 64000, 4096, 5e6, 1e-6},
  {"deepseek-llm-7b-base", "llama", 4096, 11008, 30, 32, 32, 128, 102400, 4096, 1e4, 1e-6},
  {"deepseek-llm-67b-base", "llama", 8192, 22016, 95, 64, 8, 128, 102400, 4096, 1e4, 1e-6},
  {"deepseek-coder-6.7b-instruct", "llama", 4096, 11008, 32, 32, 32, 128, 32256, 16384, 1e5, 1e-6, false, linear, 4},
  {"deepseek-r1-distill-llama-8b", "llama", 4096, 14336, 32, 32, 8, 128, 128256, 131072, 5e5, 1e-5, false, llama3, 8},
  {"falcon3-7b-instruct", "llama", 3072, 23040, 28, 12, 4, 256, 131072, 32768, 1000042, 1e-6},

  {"mistral-7b-v0.1", "mistral", 4096, 14336, 32, 32, 8, 128, 32000, 32768, 1e4},
  {"mistral-7b-instruct-v0.3", "mistral", 4096, 14336, 32, 32, 8, 128, 32768, 32768, 1e6},
  {"mistral-nemo-instruct-2407", "mistral", 5120, 14336, 40, 32, 8, 128, 131072, 1024000, 1e6},
  {"mistral-small-24b-instruct-2501", "mistral", 5120, 32768, 40, 32, 8, 128, 131072, 32768, 1e8},
  {"mixtral-8x7b-instruct-v0.1", "mixtral", 4096, 14336, 32, 32, 8, 128, 32000, 32768, 1e6},
  {"mixtral-8x22b-instruct-v0.1", "mixtral", 6144, 16384, 56, 48, 8, 128, 32768, 65536, 1e6},

  {"qwen2-0.5b-instruct", "qwen2", 896, 4864, 24, 14, 2, 64, 151936, 32768, 1e6, 1e-6, true},
  {"qwen2.5-0.5b-instruct", "qwen2", 896, 4864, 24, 14, 2, 64, 151936, 32768, 1e6, 1e-6, true},
  {"qwen2.5-7b-instruct", "qwen2", 3584, 18944, 28, 28, 4, 128, 152064, 32768, 1e6, 1e-6},
  {"qwen2.5-7b-instruct-yarn", "qwen2", 3584, 18944, 28, 28, 4, 128, 152064, 131072, 1e6, 1e-6, false, yarn, 4},
  {"qwen2.5-72b-instruct", "qwen2", 8192, 29568, 80, 64, 8, 128, 152064, 32768, 1e6, 1e-6},
  {"deepseek-r1-distill-qwen-1.5b", "qwen2", 1536, 8960, 28, 12, 2, 128, 151936, 131072, 1e4, 1e-6},
  {"deepseek-r1-distill-qwen-32b", "qwen2", 5120, 27648, 64, 40, 8, 128, 152064, 131072, 1e6},
  {"qwen3-0.6b", "qwen3", 1024, 3072, 28, 16, 8, 128, 151936, 40960, 1e6, 1e-6, true},
  {"qwen3-8b", "qwen3", 4096, 12288, 36, 32, 8, 128, 151936, 40960, 1e6, 1e-6},
  {"qwen3-8b-resaved", "qwen3", 4096, 12288, 36, 32, 8, 128, 151936, 40960, 1e6, 1e-6},
  {"qwen3-32b", "qwen3", 5120, 25600, 64, 64, 8, 128, 151936, 40960, 1e6, 1e-6},
  {"qwen1.5-moe-a2.7b-chat", "qwen2_moe", 2048, 5632, 24, 16, 16, 128, 151936, 8192, 1e6, 1e-6},
  {"qwen2-57b-a14b-instruct", "qwen2_moe", 3584, 18944, 28, 28, 4, 128, 151936, 32768, 1e6, 1e-6},
  {"qwen3-30b-a3b", "qwen3_moe", 2048, 6144, 48, 32, 4, 128, 151936, 40960, 1e6, 1e-6},
  {"qwen3-235b-a22b", "qwen3_moe", 4096, 12288, 94, 64, 4, 128, 151936, 40960, 1e6, 1e-6},
  {"qwen3-coder-30b-a3b-instruct", "qwen3_moe", 2048, 6144, 48, 32, 4, 128, 151936, 262144, 1e7, 1e-6},

  {"gemma-2b", "gemma", 2048, 16384, 18, 8, 1, 256, 256000, 8192, 1e4, 1e-6, true},
  {"gemma-7b-it", "gemma", 3072, 24576, 28, 16, 16, 256, 256000, 8192, 1e4, 1e-6, true},
  {"gemma-2-2b-it", "gemma2", 2304, 9216, 26, 8, 4, 256, 256000, 8192, 1e4, 1e-6, true},
  {"gemma-2-9b-it", "gemma2", 3584, 14336, 42, 16, 8, 256, 256000, 8192, 1e4, 1e-6, true},
  {"gemma-2-27b-it", "gemma2", 4608, 36864, 46, 32, 16, 128, 256000, 8192, 1e4, 1e-6, true},
  {"gemma-3-270m-it", "gemma3", 640, 2048, 18, 4, 1, 256, 262144, 32768, 1e6, 1e-6, true},
  {"gemma-3-1b-it", "gemma3", 1152, 6912, 26, 4, 1, 256, 262144, 32768, 1e6, 1e-6, true},
  {"gemma-3-4b-it", "gemma3", 2560, 10240, 34, 8, 4, 256, 262208, 131072, 1e6, 1e-6, true, linear, 8},
  {"gemma-3-4b-it-resaved", "gemma3", 2560, 10240, 34, 8, 4, 256, 262208, 131072, 1e6, 1e-6, true, linear, 8},
  {"gemma-3-12b-it", "gemma3", 3840, 15360, 48, 16, 8, 256, 262208, 131072, 1e6, 1e-6, true, linear, 8},
  {"gemma-3-27b-it", "gemma3", 5376, 21504, 62, 32, 16, 128, 262208, 131072, 1e6, 1e-6, true, linear, 8},

  {"phi-1.5", "phi", 2048, 8192, 24, 32, 32, 64, 51200, 2048, 1e4, 1e-5, false, none, 1, 32},
  {"phi-2", "phi", 2560, 10240, 32, 32, 32, 80, 51200, 2048, 1e4, 1e-5, false, none, 1, 32},
  {"phi-3-mini-4k-instruct", "phi3", 3072, 8192, 32, 32, 32, 96, 32064, 4096, 1e4},
  {"phi-3-mini-128k-instruct", "phi3", 3072, 8192, 32, 32, 32, 96, 32064, 131072, 1e4, 1e-5, false, longrope, 32},
  {"phi-3.5-mini-instruct", "phi3", 3072, 8192, 32, 32, 32, 96, 32064, 131072, 1e4, 1e-5, false, longrope, 32},
  {"phi-3-medium-128k-instruct", "phi3", 5120, 17920, 40, 40, 10, 128, 32064, 131072, 1e4, 1e-5, false, longrope, 32},
  {"phi-4", "phi3", 5120, 17920, 40, 40, 10, 128, 100352, 16384, 250000},
  {"phi-4-mini-instruct", "phi3", 3072, 8192, 32, 24, 8, 128, 200064, 131072, 1e4, 1e-5, true, longrope, 32, 96},
  {"phi-4-mini-instruct-resaved", "phi3", 3072, 8192, 32, 24, 8, 128, 200064, 131072, 1e4, 1e-5, true, longrope, 32, 96},

  {"falcon-7b", "falcon", 4544, 18176, 32, 71, 1, 64, 65024, 2048, 1e4, 1e-5, true},
  {"falcon-40b", "falcon", 8192, 32768, 60, 128, 8, 64, 65024, 2048, 1e4, 1e-5, true},
  {"falcon-11b", "falcon", 4096, 16384, 60, 32, 8, 128, 65024, 8192, 500042},
  {"stablelm-3b-4e1t", "stablelm", 2560, 6912, 32, 32, 32, 80, 50304, 4096, 1e4, 1e-5, false, none, 1, 20},
  {"stablelm-2-1_6b", "stablelm", 2048, 5632, 24, 32, 32, 64, 100352, 4096, 1e4, 1e-5, false, none, 1, 16},
  {"stablelm-2-12b", "stablelm", 5120, 13824, 40, 32, 8, 160, 100352, 4096, 1e4, 1e-5, false, none, 1, 40},
  {"starcoder2-3b", "starcoder2", 3072, 12288, 30, 24, 2, 128, 49152, 16384, 999999.4420358813, 1e-5, true},
  {"starcoder2-7b", "starcoder2", 4608, 18432, 32, 36, 4, 128, 49152, 16384, 1e6, 1e-5, true},

  {"deepseek-v2-lite", "deepseek_v2", 2048, 10944, 27, 16, 16, 192, 102400, 163840, 1e4, 1e-6, false, yarn, 40, 64},
  {"deepseek-v2-chat", "deepseek_v2", 5120, 12288, 60, 128, 128, 192, 102400, 163840, 1e4, 1e-6, false, yarn, 40, 64},
  {"deepseek-v3", "deepseek_v3", 7168, 18432, 61, 128, 128, 192, 129280, 163840, 1e4, 1e-6, false, yarn, 40, 64},
  {"deepseek-v3-resaved", "deepseek_v3", 7168, 18432, 61, 128, 128, 192, 129280, 163840, 1e4, 1e-6, false, yarn, 40, 64},
};
// clang-format on

class PublishedConfig : public ::testing::TestWithParam<Published> {};

TEST_P(PublishedConfig, MeansWhatItsModelIs) {
  const Published& published = GetParam();
  const ModelConfig config = read(published.name);
  ASSERT_NE(config.spec, nullptr);
  EXPECT_EQ(config.spec->family, published.family);
  EXPECT_EQ(config.hidden_size, published.hidden);
  EXPECT_EQ(config.ffn_size, published.ffn);
  EXPECT_EQ(config.n_layers, published.layers);
  EXPECT_EQ(config.n_heads, published.heads);
  EXPECT_EQ(config.n_kv_heads, published.kv_heads);
  EXPECT_EQ(config.head_dim, published.head_dim);
  EXPECT_EQ(config.vocab_size, published.vocab);
  EXPECT_EQ(config.max_positions, published.positions);
  EXPECT_EQ(config.norm_eps, static_cast<float>(published.eps));
  EXPECT_EQ(config.tie_embeddings, published.tied);
  EXPECT_EQ(config.rope().theta, published.theta);
  EXPECT_EQ(config.rope().scaling, published.scaling);
  EXPECT_EQ(config.rope().factor, published.factor);
  EXPECT_EQ(config.rope().rotary_dim, published.rotary > 0 ? published.rotary : published.head_dim);
}

INSTANTIATE_TEST_SUITE_P(All, PublishedConfig, ::testing::ValuesIn(kPublished),
                         [](const ::testing::TestParamInfo<Published>& test) {
                           std::string name = test.param.name;
                           for (char& c : name) {
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           }
                           return name;
                         });

TEST(PublishedConfigs, EveryFileIsInTheTable) {
  std::set<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder())) files.insert(entry.path().stem());
  std::set<std::string> table;
  for (const Published& published : kPublished) table.insert(published.name);
  EXPECT_EQ(files, table);
}

TEST(PublishedConfigs, Windows) {
  struct Expected {
    const char* name;
    std::int64_t first, fifth, sixth;  // of those layers; 0: none
  };
  for (const Expected& expected : {Expected{"mistral-7b-v0.1", 4096, 4096, 4096},
                                   {"mistral-7b-instruct-v0.3", 0, 0, 0},
                                   {"qwen2.5-7b-instruct", 0, 0, 0},
                                   {"gemma-2-27b-it", 4096, 4096, 0},
                                   {"gemma-3-1b-it", 512, 512, 0},
                                   {"gemma-3-270m-it", 512, 512, 0},
                                   {"gemma-3-27b-it", 1024, 1024, 0},
                                   {"gemma-3-4b-it-resaved", 1024, 1024, 0},
                                   {"phi-3-mini-4k-instruct", 2047, 2047, 2047},
                                   {"phi-4", 0, 0, 0},
                                   {"starcoder2-3b", 4096, 4096, 4096},
                                   {"qwen3-8b-resaved", 0, 0, 0}}) {
    const ModelConfig config = read(expected.name);
    EXPECT_EQ(config.layers[0].window, expected.first) << expected.name;
    EXPECT_EQ(config.layers[4].window, expected.fifth) << expected.name;
    EXPECT_EQ(config.layers[5].window, expected.sixth) << expected.name;
  }
  for (const char* name : {"gemma-3-1b-it", "gemma-3-4b-it", "gemma-3-4b-it-resaved"}) {
    const ModelConfig config = read(name);
    ASSERT_EQ(config.ropes.size(), 2U) << name;
    EXPECT_EQ(config.ropes[1].theta, 1e4);
    EXPECT_EQ(config.ropes[1].scaling, none);
    EXPECT_EQ(config.layers[0].rope, 1);
    EXPECT_EQ(config.layers[5].rope, 0);
  }
}

TEST(PublishedConfigs, FactorsOfScoresAndRotations) {
  // The numbers of the formulae (YaRN, LongRoPE, DeepSeek's mscale squared, query_pre_attn_scalar).
  const std::pair<const char*, double> scales[] = {
      {"deepseek-v3", 0.1352337789},      {"deepseek-v3-resaved", 0.1352337789},
      {"deepseek-v2-chat", 0.1147213868}, {"deepseek-v2-lite", 0.1147213868},
      {"gemma-2-27b-it", 1.0 / 12},       {"gemma-2-9b-it", 1.0 / 16},
      {"gemma-3-27b-it", 0.0771516750},   {"gemma-3-4b-it", 1.0 / 16}};
  for (const auto& [name, scale] : scales) {
    EXPECT_NEAR(read(name).attention_scale, scale, 1e-9) << name;
  }
  const std::pair<const char*, float> factors[] = {{"qwen2.5-7b-instruct-yarn", 1.138629436F},
                                                   {"deepseek-v3", 1.0F},
                                                   {"deepseek-v2-lite", 1.0F},
                                                   {"phi-3-mini-128k-instruct", 1.190238071F},
                                                   {"phi-4-mini-instruct-resaved", 1.190238071F},
                                                   {"phi-3-mini-4k-instruct", 1.0F}};
  for (const auto& [name, factor] : factors) {
    EXPECT_FLOAT_EQ(Rope(read(name).rope()).attention_factor(), factor) << name;
  }
  EXPECT_EQ(read("gemma-2-2b-it").attention_softcap, 50.0);
  EXPECT_EQ(read("gemma-2-2b-it").final_softcap, 30.0);
  EXPECT_EQ(read("gemma-3-4b-it").attention_softcap, 0.0);
}

TEST(PublishedConfigs, ActivationsAndBiases) {
  using kernels::Activation;
  // The first Gemma files say "gelu" and mean the tanh form.
  EXPECT_EQ(read("gemma-2b").activation, Activation::gelu_tanh);
  EXPECT_EQ(read("gemma-7b-it").activation, Activation::gelu_tanh);
  EXPECT_EQ(read("falcon-7b").activation, Activation::gelu);
  EXPECT_EQ(read("phi-2").activation, Activation::gelu_tanh);
  EXPECT_TRUE(read("phi-2").head_bias);
  EXPECT_TRUE(read("qwen2.5-7b-instruct").qkv_bias);
  EXPECT_FALSE(read("qwen2.5-7b-instruct").output_bias);
  EXPECT_FALSE(read("qwen3-8b").qkv_bias);
  EXPECT_TRUE(read("qwen3-8b").head_norms);
  EXPECT_TRUE(read("qwen1.5-moe-a2.7b-chat").qkv_bias);
  EXPECT_TRUE(read("stablelm-2-1_6b").qkv_bias);
  EXPECT_EQ(read("stablelm-2-12b").form, LayerForm::parallel);
  EXPECT_TRUE(read("stablelm-2-12b").head_norms);
  EXPECT_EQ(read("falcon-40b").names.attention_norm, "transformer.h.{}.ln_attn.weight");
  EXPECT_EQ(read("falcon-11b").names.attention_norm, "transformer.h.{}.input_layernorm.weight");
}

TEST(PublishedConfigs, Experts) {
  struct Expected {
    const char* name;
    std::int64_t experts, used, ffn, shared;
    bool normalize;
    std::int64_t groups = 1, groups_used = 1;
    float scale = 1;
    std::int64_t first = 0;  // layer with experts
  };
  for (const Expected& expected : {
           Expected{"mixtral-8x7b-instruct-v0.1", 8, 2, 14336, 0, true},
           {"qwen1.5-moe-a2.7b-chat", 60, 4, 1408, 5632, false},
           {"qwen2-57b-a14b-instruct", 64, 8, 2560, 20480, false},
           {"qwen3-30b-a3b", 128, 8, 768, 0, true},
           {"qwen3-coder-30b-a3b-instruct", 128, 8, 768, 0, true},
           {"deepseek-v2-lite", 64, 6, 1408, 2816, false, 1, 1, 1, 1},
           {"deepseek-v2-chat", 160, 6, 1536, 3072, false, 8, 3, 16, 1},
           {"deepseek-v3", 256, 8, 2048, 2048, true, 8, 4, 2.5, 3},
       }) {
    const ModelConfig config = read(expected.name);
    const MoeConfig& moe = config.moe;
    EXPECT_EQ(moe.n_experts, expected.experts) << expected.name;
    EXPECT_EQ(moe.n_used, expected.used) << expected.name;
    EXPECT_EQ(moe.ffn_size, expected.ffn) << expected.name;
    EXPECT_EQ(moe.shared_ffn_size, expected.shared) << expected.name;
    EXPECT_EQ(moe.routing.normalize, expected.normalize) << expected.name;
    EXPECT_EQ(moe.routing.groups, expected.groups) << expected.name;
    EXPECT_EQ(moe.routing.groups_used, expected.groups_used) << expected.name;
    EXPECT_EQ(moe.routing.scale, expected.scale) << expected.name;
    for (std::size_t l = 0; l < config.layers.size(); ++l) {
      EXPECT_EQ(config.layers[l].moe, static_cast<std::int64_t>(l) >= expected.first);
    }
  }
  EXPECT_EQ(read("deepseek-v2-chat").moe.routing.group_score, GroupScore::best);
  EXPECT_EQ(read("deepseek-v3").moe.routing.group_score, GroupScore::best_two);
  EXPECT_EQ(read("deepseek-v3").moe.routing.score, ExpertScore::sigmoid);
  EXPECT_EQ(read("deepseek-v3").scale_block.rows, 128);
  EXPECT_EQ(read("deepseek-v3").extra_layers, 1);
  EXPECT_EQ(read("deepseek-v2-lite").mla.q_latent, 0);
  EXPECT_EQ(read("deepseek-v2-chat").mla.q_latent, 1536);
  EXPECT_EQ(read("deepseek-v3").mla.kv_latent, 512);
}

}  // namespace
}  // namespace llm::models
