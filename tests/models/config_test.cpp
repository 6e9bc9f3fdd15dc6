// What config.json says, what it leaves to the class defaults, and what is refused.
#include "models/config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/edited_fixture.h"

namespace llm::models {
namespace {

Result<ModelConfig> read_fixture(const std::string& fixture) {
  return read_edited(fixture, [](core::Json&) {});
}

std::vector<std::int64_t> windows(const ModelConfig& config) {
  std::vector<std::int64_t> windows;
  for (const LayerConfig& layer : config.layers) windows.push_back(layer.window);
  return windows;
}

TEST(Config, GemmaLayersTakeTurns) {
  const auto gemma2 = read_fixture("gemma2");
  ASSERT_TRUE(gemma2) << gemma2.error().message();
  EXPECT_EQ(windows(*gemma2).front() > 0, true) << "the first layer slides";
  EXPECT_EQ(windows(*gemma2)[1], 0);

  const auto gemma3 = read_fixture("gemma3");
  ASSERT_TRUE(gemma3) << gemma3.error().message();
  ASSERT_EQ(gemma3->ropes.size(), 2U);
  for (std::size_t l = 0; l < gemma3->layers.size(); ++l) {
    const bool global = (l + 1) % 6 == 0;
    EXPECT_EQ(gemma3->layers[l].window == 0, global) << "layer " << l;
    EXPECT_EQ(gemma3->layers[l].rope, global ? 0 : 1) << "layer " << l;
  }
  EXPECT_EQ(gemma3->ropes[1].theta, 10000.0);
  EXPECT_EQ(gemma3->ropes[1].scaling, RopeScaling::none);
}

TEST(Config, LayerTypesCountWhereTheyAreListed) {
  const auto config = read_edited("gemma2", [](core::Json& json) {
    json["layer_types"] = core::Json::array();
    for (int l = 0; l < json["num_hidden_layers"]; ++l) {
      json["layer_types"].push_back(l == 3 ? "sliding_attention" : "full_attention");
    }
  });
  ASSERT_TRUE(config) << config.error().message();
  for (std::size_t l = 0; l < config->layers.size(); ++l) {
    EXPECT_EQ(config->layers[l].window > 0, l == 3);
  }
  const auto wrong = read_edited("gemma2", [](core::Json& json) {
    json["layer_types"] = {"full_attention", "none"};
  });
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message().find("layer_types"), std::string::npos);
}

TEST(Config, AbsentIsTheDefaultAndNullIsOff) {
  const auto absent = read_edited("gemma2", [](core::Json& json) {
    json.erase("attn_logit_softcapping");
    json.erase("sliding_window");
  });
  ASSERT_TRUE(absent) << absent.error().message();
  EXPECT_EQ(absent->attention_softcap, 50.0);
  EXPECT_EQ(absent->layers[0].window, 4096);
  const auto null = read_edited("gemma2", [](core::Json& json) {
    json["attn_logit_softcapping"] = nullptr;
    json["final_logit_softcapping"] = nullptr;
  });
  ASSERT_TRUE(null) << null.error().message();
  EXPECT_EQ(null->attention_softcap, 0.0);
  EXPECT_EQ(null->final_softcap, 0.0);
}

TEST(Config, QwenSlidesOnlyWhenSwitchedOn) {
  const auto on = read_fixture("qwen2-window");
  ASSERT_TRUE(on) << on.error().message();
  EXPECT_EQ(on->layers[0].window, 0);
  EXPECT_GT(on->layers[1].window, 0);
  const auto off =
      read_edited("qwen2-window", [](core::Json& json) { json["use_sliding_window"] = false; });
  ASSERT_TRUE(off) << off.error().message();
  for (const LayerConfig& layer : off->layers) EXPECT_EQ(layer.window, 0);
}

TEST(Config, QwenMoeLayersAreTheOnesStated) {
  const auto every_second = read_fixture("qwen2-moe-sparse-step");
  ASSERT_TRUE(every_second) << every_second.error().message();
  for (std::size_t l = 0; l < every_second->layers.size(); ++l) {
    EXPECT_EQ(every_second->layers[l].moe, (l + 1) % 2 == 0) << "layer " << l;
  }
  const auto listed = read_fixture("qwen2-moe-mlp-only");
  ASSERT_TRUE(listed) << listed.error().message();
  EXPECT_TRUE(listed->layers[0].moe);
  EXPECT_FALSE(listed->layers[1].moe);
}

TEST(Config, DeepSeekV2ScalesWeightsOrNormalisesThem) {
  const auto scaled = read_fixture("deepseek-v2");
  ASSERT_TRUE(scaled) << scaled.error().message();
  EXPECT_FALSE(scaled->moe.routing.normalize);
  EXPECT_EQ(scaled->moe.routing.scale, 16.0F);
  const auto normalised =
      read_edited("deepseek-v2", [](core::Json& json) { json["norm_topk_prob"] = true; });
  ASSERT_TRUE(normalised) << normalised.error().message();
  EXPECT_TRUE(normalised->moe.routing.normalize);
  EXPECT_EQ(normalised->moe.routing.scale, 1.0F);
  // V3 does both.
  const auto v3 = read_fixture("deepseek-v3");
  ASSERT_TRUE(v3) << v3.error().message();
  EXPECT_TRUE(v3->moe.routing.normalize);
  EXPECT_EQ(v3->moe.routing.scale, 2.5F);
}

std::vector<int> ropes(const ModelConfig& config) {
  std::vector<int> ropes;
  for (const LayerConfig& layer : config.layers) ropes.push_back(layer.rope);
  return ropes;
}

TEST(Config, SmolLm3LayersThatDoNotRotate) {
  using Ropes = std::vector<int>;
  const auto read = [](auto edit) {
    auto config = read_edited("smollm3", edit);
    EXPECT_TRUE(config) << config.error().message();
    return config ? std::move(*config) : ModelConfig{};
  };
  EXPECT_EQ(ropes(read([](core::Json&) {})), (Ropes{0, 0, 0, kNoRope, 0}));
  EXPECT_EQ(ropes(read([](core::Json& json) {
              json["no_rope_layers"] = {0, 1, 1, 1, 0};
            })),
            (Ropes{kNoRope, 0, 0, 0, kNoRope}));
  const auto every_second = read([](core::Json& json) {
    json.erase("no_rope_layers");
    json.erase("layer_types");
    json["no_rope_layer_interval"] = 2;
    json["use_sliding_window"] = true;
    json["sliding_window"] = 8;
  });
  EXPECT_EQ(ropes(every_second), (Ropes{0, kNoRope, 0, kNoRope, 0}));
  EXPECT_EQ(windows(every_second), (std::vector<std::int64_t>{0, 8, 0, 8, 0}));
  const auto shorter = read_edited("smollm3", [](core::Json& json) {
    json["no_rope_layers"] = {1, 0};
  });
  ASSERT_FALSE(shorter);
  EXPECT_NE(shorter.error().message().find("no_rope_layers"), std::string::npos);
}

struct Refused {
  const char* fixture;
  const char* key;
  core::Json value;
  const char* message;  // part of it
};

TEST(Config, WhatCannotBeRunIsRefusedByName) {
  const core::Json huge = std::int64_t{1} << 62;
  const Refused cases[] = {
      {"falcon-7b", "alibi", true, "alibi"},
      {"phi2", "qk_layernorm", true, "qk_layernorm"},
      {"phi2", "hidden_act", "mish", "hidden_act"},
      {"falcon-7b", "hidden_size", huge, "hidden size"},
      {"falcon-7b", "ffn_hidden_size", -1, "feed-forward size"},
      {"falcon-40b", "num_kv_heads", 0, "key-value heads"},
      {"gemma2", "query_pre_attn_scalar", -1, "attention scale"},
      {"gemma2", "query_pre_attn_scalar", 0, "attention scale"},
      {"gemma2", "final_logit_softcapping", -3, "soft caps"},
      {"gemma2", "num_hidden_layers", huge, "number of layers"},
      {"phi3", "sliding_window", -1, "sliding window"},
      {"mixtral", "num_experts_per_tok", 9, "experts per token"},
      {"mixtral", "num_experts_per_tok", 0, "experts per token"},
      {"mixtral", "num_local_experts", -1, "number of experts"},
      {"qwen3-moe", "num_experts", huge, "number of experts"},
      {"qwen3-moe", "moe_intermediate_size", huge, "expert feed-forward size"},
      {"qwen2-moe", "decoder_sparse_step", 0, "decoder_sparse_step"},
      {"deepseek-v2", "n_group", 3, "expert groups"},
      {"deepseek-v2", "topk_group", 5, "expert groups"},
      {"deepseek-v2", "topk_method", "random", "topk_method"},
      {"deepseek-v2", "kv_lora_rank", 0, "kv_lora_rank"},
      {"deepseek-v2", "qk_nope_head_dim", huge, "qk_nope_head_dim"},
      {"deepseek-v2", "v_head_dim", 0, "value head dimension"},
      {"deepseek-v2", "n_shared_experts", huge, "n_shared_experts"},
      {"deepseek-v3", "scoring_func", "tanh", "scoring_func"},
      {"deepseek-v3", "num_nextn_predict_layers", -1, "num_nextn_predict_layers"},
      {"deepseek-v3-fp8", "quantization_config", {{"quant_method", "awq"}}, "quant_method"},
      {"deepseek-v3-fp8",
       "quantization_config",
       {{"quant_method", "fp8"}, {"weight_block_size", {128, 0}}},
       "weight_block_size"},
  };
  for (const Refused& refused : cases) {
    const auto config =
        read_edited(refused.fixture, [&](core::Json& json) { json[refused.key] = refused.value; });
    ASSERT_FALSE(config) << refused.fixture << " " << refused.key;
    EXPECT_NE(config.error().message().find(refused.message), std::string::npos)
        << config.error().message();
    EXPECT_NE(config.error().message().find("config.json"), std::string::npos);
  }
}

TEST(Config, LongRopeListsMustHaveOneFactorPerPair) {
  for (const char* key : {"short_factor", "long_factor"}) {
    const auto shorter = read_edited("phi3-longrope", [&](core::Json& json) {
      json["rope_scaling"][key].erase(json["rope_scaling"][key].begin());
    });
    ASSERT_FALSE(shorter);
    EXPECT_NE(shorter.error().message().find(key), std::string::npos) << shorter.error().message();
    const auto zero =
        read_edited("phi3-longrope", [&](core::Json& json) { json["rope_scaling"][key][0] = 0.0; });
    ASSERT_FALSE(zero);
    EXPECT_NE(zero.error().message().find("divisors"), std::string::npos);
  }
}

}  // namespace
}  // namespace llm::models
