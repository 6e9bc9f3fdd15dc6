// What GGUF metadata says in the spellings of different times and writers, what a missing key
// means, and what is refused.
#include <gtest/gtest.h>

#include <cmath>

#include "models/edited_fixture.h"

namespace llm::models {
namespace {

using formats::GgufArray;
using formats::GgufType;
using formats::GgufValue;
using Ints = std::vector<std::int64_t>;

struct Edit {
  std::string key;
  GgufValue value;
};

/// The configuration of a fixture with these keys set, those erased (which must have been there).
Result<ModelConfig> read(const std::string& fixture, const std::vector<Edit>& set,
                         const std::vector<std::string>& erased = {}) {
  return read_edited_gguf(fixture, [&](GgufParts& parts) {
    for (const std::string& key : erased) EXPECT_TRUE(parts.metadata.erase(key)) << key;
    for (const Edit& edit : set) parts.metadata.set(edit.key, edit.value);
  });
}

ModelConfig must_read(const std::string& fixture, const std::vector<Edit>& set,
                      const std::vector<std::string>& erased = {}) {
  auto config = read(fixture, set, erased);
  EXPECT_TRUE(config) << config.error().message();
  return config ? std::move(*config) : ModelConfig{.ropes = {{}}};
}

void expect_refused(const std::string& fixture, const Edit& edit, const std::string& message,
                    const std::vector<std::string>& erased = {}) {
  const auto config = read(fixture, {edit}, erased);
  ASSERT_FALSE(config) << edit.key;
  EXPECT_NE(config.error().message().find(message), std::string::npos) << config.error().message();
  EXPECT_NE(config.error().message().find("edited.gguf"), std::string::npos);
}

Ints windows(const ModelConfig& config) {
  Ints windows;
  for (const LayerConfig& layer : config.layers) windows.push_back(layer.window);
  return windows;
}

TEST(GgufConfig, IntegersOfAnyWidth) {
  const GgufType types[] = {GgufType::u8,  GgufType::i8,  GgufType::u16, GgufType::i16,
                            GgufType::u32, GgufType::i32, GgufType::u64, GgufType::i64};
  for (const GgufType type : types) {
    const auto config = read_edited_gguf("llama-gqa", [&](GgufParts& parts) {
      for (const auto& [key, value] : {std::pair{"attention.head_count", 8},
                                       {"attention.head_count_kv", 2},
                                       {"block_count", 2},
                                       {"feed_forward_length", 96}}) {
        const std::string full = std::string("llama.") + key;
        EXPECT_TRUE(parts.metadata.erase(full));
        EXPECT_TRUE(parts.metadata.insert(full, std::int64_t{value}, type));
      }
    });
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->n_heads, 8);
    EXPECT_EQ(config->n_kv_heads, 2);
    EXPECT_EQ(config->n_layers, 2);
    EXPECT_EQ(config->ffn_size, 96);
  }
}

TEST(GgufConfig, NumbersOfEachLayerCountWhereTheyAreEqual) {
  const ModelConfig config =
      must_read("mixtral", {{"llama.attention.head_count", GgufArray(Ints{4, 4})},
                            {"llama.attention.head_count_kv", GgufArray(Ints{2, 2})},
                            {"llama.feed_forward_length", GgufArray(Ints{16, 16})},
                            {"llama.expert_used_count", GgufArray(Ints{2, 2})}});
  EXPECT_EQ(config.n_heads, 4);
  EXPECT_EQ(config.n_kv_heads, 2);
  EXPECT_EQ(config.ffn_size, 16);
  EXPECT_EQ(config.moe.n_used, 2);
  for (const char* key : {"llama.attention.head_count", "llama.attention.head_count_kv",
                          "llama.feed_forward_length", "llama.expert_used_count"}) {
    expect_refused("mixtral", {key, GgufArray(Ints{2, 4})}, "layers that differ");
    expect_refused("mixtral", {key, GgufArray(Ints{2})}, "for each of 2 layers");
    expect_refused("mixtral", {key, GgufArray(std::vector<double>{1, 1})}, key);
  }
}

TEST(GgufConfig, MissingHeadCountOfKeysIsThatOfQueries) {
  EXPECT_EQ(must_read("llama-gqa", {}, {"llama.attention.head_count_kv"}).n_kv_heads, 8);
}

TEST(GgufConfig, LinearRopeScalingInEverySpelling) {
  const char* const type = "llama.rope.scaling.type";
  const char* const factor = "llama.rope.scaling.factor";
  const ModelConfig as_written = must_read("llama-rope-linear", {});
  EXPECT_EQ(as_written.rope().scaling, RopeScaling::linear);
  EXPECT_EQ(as_written.rope().factor, 4.0);
  // The first key there was.
  const ModelConfig old =
      must_read("llama-rope-linear", {{"llama.rope.scale_linear", 4.0}}, {type, factor});
  EXPECT_EQ(old.rope().scaling, RopeScaling::linear);
  EXPECT_EQ(old.rope().factor, 4.0);
  // A factor without a type.
  const ModelConfig untyped = must_read("llama-rope-linear", {}, {type});
  EXPECT_EQ(untyped.rope().scaling, RopeScaling::linear);
  // How some writers say "none".
  for (const auto& [key, value] :
       std::vector<Edit>{{type, std::string("none")}, {factor, 0.0}, {factor, 1.0}}) {
    EXPECT_EQ(must_read("llama-rope-linear", {{key, value}}).rope().scaling, RopeScaling::none);
  }
  expect_refused("llama-rope-linear", {type, std::string("cubic")}, type);
  expect_refused("llama-rope-linear", {factor, -2.0}, "factor");
}

TEST(GgufConfig, YarnFactorsAndDefaults) {
  const std::string key = "qwen2.rope.scaling.";
  const ModelConfig plain = must_read("qwen2-yarn", {});
  EXPECT_EQ(plain.rope().scaling, RopeScaling::yarn);
  EXPECT_EQ(plain.rope().factor, 4.0);
  EXPECT_EQ(plain.rope().original_positions, 32);
  EXPECT_EQ(plain.rope().beta_fast, 32.0);
  EXPECT_EQ(plain.rope().beta_slow, 1.0);
  EXPECT_EQ(plain.max_positions, 128) << "four times the original length";
  EXPECT_EQ(must_read("qwen2-yarn", {{"qwen2.context_length", std::int64_t{500}}}).max_positions,
            500);

  const ModelConfig betas =
      must_read("qwen2-yarn", {{key + "yarn_beta_fast", 16.0}, {key + "yarn_beta_slow", 2.0}});
  EXPECT_EQ(betas.rope().beta_fast, 16.0);
  EXPECT_EQ(betas.rope().beta_slow, 2.0);

  const float own = 0.1F * std::log(4.0F) + 1.0F;
  const auto factor_with = [&](const std::vector<Edit>& set) {
    return Rope(must_read("qwen2-yarn", set).rope()).attention_factor();
  };
  EXPECT_FLOAT_EQ(factor_with({}), own);
  EXPECT_FLOAT_EQ(factor_with({{key + "attn_factor", 0.5}}), 0.5F * own);
  EXPECT_FLOAT_EQ(factor_with({{key + "yarn_attn_factor", 1.25}}), 1.25F);
  EXPECT_FLOAT_EQ(factor_with({{key + "yarn_attn_factor", 1.25}, {key + "attn_factor", 2.0}}),
                  2.5F);
  EXPECT_FLOAT_EQ(factor_with({{key + "yarn_ext_factor", -1.0}}), own);
  expect_refused("qwen2-yarn", {key + "yarn_ext_factor", 0.5}, "yarn_ext_factor");
  expect_refused("qwen2-yarn", {key + "attn_factor", 0.0}, "attention factor");
}

TEST(GgufConfig, LongRopeIsKnownByItsTensors) {
  const Edit stated = {"phi3.rope.scaling.type", std::string("longrope")};
  // Files from before that value do not state it.
  for (const auto& config :
       {must_read("phi3-longrope", {}), must_read("phi3-longrope", {stated})}) {
    EXPECT_EQ(config.rope().scaling, RopeScaling::longrope);
    EXPECT_EQ(config.rope().original_positions, 32);
  }
  for (const char* tensor : {"rope_factors_long.weight", "rope_factors_short.weight"}) {
    const auto one = read_edited_gguf("phi3-longrope", [&](GgufParts& p) { p.erase(tensor); });
    ASSERT_FALSE(one);
    EXPECT_NE(one.error().message().find("expected both"), std::string::npos);
  }
  expect_refused("phi3", stated, "rope_factors_long.weight");
  expect_refused("phi3-longrope", {"phi3.rope.scaling.attn_factor", std::nan("")},
                 "attention factor");
}

TEST(GgufConfig, AWindowOfZeroIsNone) {
  EXPECT_EQ(windows(must_read("phi3", {})), (Ints{8, 8}));
  EXPECT_EQ(windows(must_read("phi3", {{"phi3.attention.sliding_window", std::int64_t{0}}})),
            (Ints{0, 0}));
  EXPECT_EQ(windows(must_read("phi3", {}, {"phi3.attention.sliding_window"})), (Ints{0, 0}));
}

TEST(GgufConfig, Gemma2DefaultsAndWindows) {
  const ModelConfig bare =
      must_read("gemma2", {},
                {"gemma2.attn_logit_softcapping", "gemma2.final_logit_softcapping",
                 "gemma2.attention.sliding_window"});
  EXPECT_EQ(bare.attention_softcap, 50.0);
  EXPECT_EQ(bare.final_softcap, 30.0);
  EXPECT_EQ(windows(bare), (Ints{4096, 0, 4096, 0}));
  const std::vector<bool> list = {false, true, true, false};
  EXPECT_EQ(
      windows(must_read("gemma2", {{"gemma2.attention.sliding_window_pattern", GgufArray(list)}})),
      (Ints{0, 8, 8, 0}));
  expect_refused("gemma2",
                 {"gemma2.attention.sliding_window_pattern", GgufArray(std::vector<bool>{true})},
                 "for each of 4 layers");
}

TEST(GgufConfig, Gemma3WindowsAndBases) {
  const char* const pattern = "gemma3.attention.sliding_window_pattern";
  const ModelConfig plain = must_read("gemma3", {}, {"gemma3.rope.freq_base_swa"});
  EXPECT_EQ(windows(plain), (Ints{8, 8, 8, 8, 8, 0, 8}));
  ASSERT_EQ(plain.ropes.size(), 2U);
  EXPECT_EQ(plain.ropes[0].theta, 1e6);
  EXPECT_EQ(plain.ropes[0].factor, 8.0);
  EXPECT_EQ(plain.ropes[1].theta, 1e4) << "of the layers that slide, where no key states it";
  EXPECT_EQ(plain.ropes[1].scaling, RopeScaling::none);
  EXPECT_EQ(must_read("gemma3", {{"gemma3.rope.freq_base_swa", 5000.0}}).ropes[1].theta, 5000.0);

  EXPECT_EQ(windows(must_read("gemma3", {{pattern, std::int64_t{3}}})),
            (Ints{8, 8, 0, 8, 8, 0, 8}));
  const std::vector<bool> list = {true, false, true, false, true, false, true};
  const ModelConfig listed = must_read("gemma3", {{pattern, GgufArray(list)}});
  EXPECT_EQ(windows(listed), (Ints{8, 0, 8, 0, 8, 0, 8}));
  for (std::size_t l = 0; l < list.size(); ++l) EXPECT_EQ(listed.layers[l].rope, list[l] ? 1 : 0);
  // No window at all: every layer sees everything, by the base of those that do.
  const ModelConfig global = must_read("gemma3", {}, {"gemma3.attention.sliding_window"});
  for (const LayerConfig& layer : global.layers) {
    EXPECT_EQ(layer.window, 0);
    EXPECT_EQ(layer.rope, 0);
  }
  EXPECT_EQ(must_read("gemma3", {{"gemma3.final_logit_softcapping", 20.0}}).final_softcap, 20.0);
}

TEST(GgufConfig, GemmaScaleDoesNotDependOnTheNumberOfLayers) {
  // The shapes of the 27B models, with another number of layers than published.
  const auto scale = [&](const std::string& name, std::int64_t hidden, std::int64_t heads,
                         std::int64_t head_dim, const std::vector<Edit>& more = {}) {
    const auto config = read_edited_gguf(name, [&](GgufParts& parts) {
      parts.metadata.set(name + ".embedding_length", hidden);
      parts.metadata.set(name + ".attention.head_count", heads);
      parts.metadata.set(name + ".attention.key_length", head_dim);
      parts.metadata.set(name + ".attention.value_length", head_dim);
      parts.metadata.erase(name + ".rope.dimension_count");
      for (const Edit& edit : more) parts.metadata.set(edit.key, edit.value);
    });
    EXPECT_TRUE(config) << config.error().message();
    return config ? config->attention_scale : 0.0;
  };
  EXPECT_DOUBLE_EQ(scale("gemma2", 4608, 32, 128), 1.0 / 12);
  EXPECT_DOUBLE_EQ(scale("gemma3", 5376, 32, 128), std::pow(168.0, -0.5));
  EXPECT_DOUBLE_EQ(scale("gemma2", 3584, 16, 256), 1.0 / 16);
  EXPECT_DOUBLE_EQ(scale("gemma3", 2560, 8, 256), 1.0 / 16);
  EXPECT_DOUBLE_EQ(scale("gemma2", 4608, 32, 128, {{"gemma2.attention.scale", 0.25}}), 0.25);
}

TEST(GgufConfig, EveryFourthLayerOfSmolLm3DoesNotRotate) {
  const ModelConfig config = must_read("smollm3", {});
  for (std::size_t l = 0; l < config.layers.size(); ++l) {
    EXPECT_EQ(config.layers[l].rope, l == 3 ? kNoRope : 0) << "layer " << l;
  }
}

TEST(GgufConfig, StableLmFormIsKnownByItsNorms) {
  // Writers disagree on the flag.
  const char* const flag = "stablelm.use_parallel_residual";
  EXPECT_EQ(must_read("stablelm-12b", {{flag, false}}).form, LayerForm::parallel);
  EXPECT_EQ(must_read("stablelm-1.6b", {{flag, true}}).form, LayerForm::sequential);
}

TEST(GgufConfig, FalconWithTwoNormsFeedsAttentionFromTheSecond) {
  const ModelConfig two = must_read("falcon-40b", {});
  EXPECT_EQ(two.names.attention_norm, "blk.{}.attn_norm_2.weight");
  EXPECT_EQ(two.names.ffn_norm, "blk.{}.attn_norm.weight");
  EXPECT_EQ(must_read("falcon-7b", {}).names.ffn_norm, "");
}

TEST(GgufConfig, WhetherExpertsAreNormalisedWhereNoKeySaysSo) {
  EXPECT_TRUE(must_read("mixtral", {}).moe.routing.normalize);
  EXPECT_FALSE(must_read("qwen2-moe", {}).moe.routing.normalize);
  EXPECT_TRUE(must_read("qwen3-moe", {}).moe.routing.normalize);
  EXPECT_FALSE(must_read("deepseek-v2-lite", {}).moe.routing.normalize);
  EXPECT_TRUE(
      must_read("qwen2-moe", {{"qwen2moe.expert_weights_norm", true}}).moe.routing.normalize);
}

TEST(GgufConfig, DeepSeekGatingWhereNoKeyStatesIt) {
  const char* const key = "deepseek2.expert_gating_func";
  // V2 files have none; of V3, the bias of the choice tells.
  EXPECT_EQ(must_read("deepseek-v2-lite", {}, {key}).moe.routing.score, ExpertScore::softmax);
  EXPECT_EQ(must_read("deepseek-v3", {}, {key}).moe.routing.score, ExpertScore::sigmoid);
  EXPECT_EQ(must_read("deepseek-v3", {{key, std::int64_t{0}}}).moe.routing.score,
            ExpertScore::sigmoid);
  EXPECT_EQ(must_read("deepseek-v3", {{key, std::int64_t{1}}}).moe.routing.score,
            ExpertScore::softmax);
  expect_refused("deepseek-v3", {key, std::int64_t{3}}, key);
}

TEST(GgufConfig, DeepSeekGroupsWhereNoKeyStatesThem) {
  const std::vector<std::string> keys = {"deepseek2.expert_group_count",
                                         "deepseek2.expert_group_used_count"};
  const Edit v3_experts = {"deepseek2.expert_count", std::int64_t{256}};
  // The first V3 and R1 files: what the model has.
  const ExpertRouting v3 = must_read("deepseek-v3", {v3_experts}, keys).moe.routing;
  EXPECT_EQ(v3.groups, 8);
  EXPECT_EQ(v3.groups_used, 4);
  EXPECT_EQ(v3.group_score, GroupScore::best_two);
  // A model that says it has none, or another one.
  EXPECT_EQ(must_read("deepseek-v3", {v3_experts, {keys[0], std::int64_t{1}}}, {keys[1]})
                .moe.routing.groups,
            1);
  EXPECT_EQ(must_read("deepseek-v3", {}, keys).moe.routing.groups, 1);
  // V2 counts a group by its best expert, V3 by the best two.
  EXPECT_EQ(must_read("deepseek-v2", {}).moe.routing.group_score, GroupScore::best);
  EXPECT_EQ(must_read("deepseek-v2", {}).moe.routing.groups, 4);
  expect_refused("deepseek-v3", {keys[0], std::int64_t{4}}, keys[1], {keys[1]});
}

TEST(GgufConfig, DeepSeekScaleOfTheScores) {
  const char* const key = "deepseek2.rope.scaling.yarn_log_multiplier";
  const double plain = 1.0 / std::sqrt(24.0);
  for (const auto& [fixture, mscale] : {std::pair{"deepseek-v2", 0.707}, {"deepseek-v3", 1.0}}) {
    const ModelConfig config = must_read(fixture, {});
    const double m = 0.1 * mscale * std::log(40.0) + 1.0;
    EXPECT_NEAR(config.attention_scale, m * m * plain, 1e-7) << fixture;
    EXPECT_EQ(Rope(config.rope()).attention_factor(), 1.0F);
    EXPECT_NEAR(must_read(fixture, {}, {key}).attention_scale, plain, 1e-12);
  }
}

TEST(GgufConfig, DeepSeekQueriesWithoutLowRankAreKnownByTheirTensors) {
  // Not by the number of layers.
  EXPECT_EQ(must_read("deepseek-v2-lite", {}).mla.q_latent, 0);
  EXPECT_EQ(must_read("deepseek-v2", {}).mla.q_latent, 20);
  for (const char* packing :
       {"deepseek-v2-lite", "deepseek-v2-lite-legacy", "deepseek-v2-lite-three"}) {
    const ModelConfig config = must_read(packing, {});
    EXPECT_EQ(config.mla.nope_dim, 16) << packing;
    EXPECT_EQ(config.mla.rope_dim, 8) << packing;
    EXPECT_EQ(config.mla.v_dim, 12) << packing;
  }
}

}  // namespace
}  // namespace llm::models
