// describe_network: what a spec expands to for one file, which `inspect` prints.
#include "offline/describe_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "core/json.h"
#include "support/temp_dir.h"

namespace llm::offline {
namespace {

const std::string kModels = std::string(LLM_SOURCE_DIR) + "/tests/fixtures/models/";

NetworkDescription describe(const std::string& name, const std::string& dtype = "") {
  auto network = describe_network(kModels + name, dtype);
  EXPECT_TRUE(network) << network.error().message();
  return network ? std::move(*network) : NetworkDescription{.kinds = {{}}};
}

template <class Parts>
std::vector<std::string> names(const Parts& parts) {
  std::vector<std::string> names;
  for (const auto& part : parts) names.emplace_back(part.name);
  return names;
}

MatrixDescription find(const std::vector<MatrixDescription>& matrices, std::string_view name) {
  const auto found = std::find_if(matrices.begin(), matrices.end(),
                                  [&](const auto& matrix) { return matrix.name == name; });
  EXPECT_NE(found, matrices.end()) << name;
  return found == matrices.end() ? MatrixDescription{} : *found;
}

using Names = std::vector<std::string>;
using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

TEST(DescribeNetwork, LayersThatAreAlikeAreOneKind) {
  const NetworkDescription gemma3 = describe("gemma3");
  ASSERT_EQ(gemma3.kinds.size(), 2U);
  const LayerDescription& local = gemma3.kinds[0];
  const LayerDescription& global = gemma3.kinds[1];
  EXPECT_EQ(local.layers, (Ranges{{0, 4}, {6, 6}}));
  EXPECT_EQ(global.layers, (Ranges{{5, 5}}));
  EXPECT_EQ(local.attention.window, 8);
  EXPECT_EQ(global.attention.window, 0);
  EXPECT_EQ(local.attention.rope->theta, 1e4);
  EXPECT_EQ(local.attention.rope->scaling, "none");
  EXPECT_EQ(global.attention.rope->theta, 1e6);
  EXPECT_EQ(global.attention.rope->scaling, "linear");
  EXPECT_EQ(global.attention.rope->factor, 8.0);
  EXPECT_EQ(gemma3.n_layers, 7);
  EXPECT_EQ(describe("llama-gqa").kinds.size(), 1U);
}

TEST(DescribeNetwork, ALayerThatDoesNotRotateHasNoRope) {
  const NetworkDescription smollm3 = describe("smollm3");
  ASSERT_EQ(smollm3.kinds.size(), 2U);
  EXPECT_TRUE(smollm3.kinds[0].attention.rope);
  EXPECT_EQ(smollm3.kinds[1].layers, (Ranges{{3, 3}}));
  EXPECT_FALSE(smollm3.kinds[1].attention.rope);
}

TEST(DescribeNetwork, NormsScalesAndCaps) {
  const NetworkDescription gemma2 = describe("gemma2");
  const LayerDescription& layer = gemma2.kinds[0];
  EXPECT_EQ(names(layer.norms),
            (Names{"attention_norm", "post_attention_norm", "ffn_norm", "post_ffn_norm"}));
  EXPECT_EQ(layer.norms[0].kind, "rms");
  EXPECT_EQ(layer.norms[0].size, 32);
  EXPECT_EQ(layer.norms[0].eps, 1e-6F);
  EXPECT_FLOAT_EQ(gemma2.embedding_scale, std::sqrt(32.0F));
  EXPECT_FLOAT_EQ(layer.attention.scale, std::pow(10.0F, -0.5F));
  EXPECT_EQ(layer.attention.softcap, 2.5F);
  EXPECT_EQ(gemma2.logit_softcap, 4.0F);
  EXPECT_TRUE(gemma2.head_tied);
  EXPECT_EQ(layer.ffn.activation, "gelu_tanh");
  EXPECT_FALSE(describe("llama-gqa").head_tied);

  const LayerDescription falcon = describe("falcon-40b").kinds[0];
  EXPECT_TRUE(falcon.parallel);
  EXPECT_TRUE(falcon.has_norm("ffn_norm"));
  EXPECT_TRUE(falcon.norms[0].bias);
  EXPECT_EQ(falcon.norms[0].kind, "layer");
  EXPECT_FALSE(falcon.ffn.gated);
  EXPECT_EQ(falcon.ffn.activation, "gelu");

  const AttentionDescription stablelm = describe("stablelm-12b").kinds[0].attention;
  EXPECT_EQ(names(stablelm.norms), (Names{"q_norm", "k_norm"}));
  EXPECT_EQ(stablelm.norms[0].sets, 4) << "one for each head";
  EXPECT_EQ(stablelm.norms[1].sets, 2);
}

TEST(DescribeNetwork, MatricesWithShapeTypeAndBias) {
  const AttentionDescription attention = describe("qwen2").kinds[0].attention;
  EXPECT_EQ(names(attention.matrices), (Names{"q", "k", "v", "output"}));
  EXPECT_EQ(attention.matrices[0],
            (MatrixDescription{.name = "q", .rows = 32, .cols = 32, .bias = true}));
  EXPECT_EQ(attention.matrices[1],
            (MatrixDescription{.name = "k", .rows = 16, .cols = 32, .bias = true}));
  EXPECT_FALSE(attention.matrices[3].bias);
  EXPECT_EQ(attention.heads, 4);
  EXPECT_EQ(attention.kv_heads, 2);
  EXPECT_EQ(attention.head_dim, 8);
  // Of the type they have in memory; the embedding stays as it is stored.
  const NetworkDescription half = describe("qwen2-moe", "f16");
  EXPECT_EQ(half.embedding.dtype, DType::bf16);
  EXPECT_EQ(half.head.dtype, DType::f16);
  EXPECT_EQ(find(half.kinds[0].ffn.matrices, "gate").dtype, DType::f16);
  EXPECT_EQ(find(half.kinds[0].ffn.matrices, "router").dtype, DType::f32);
}

TEST(DescribeNetwork, ExpertsAndTheirChoice) {
  const NetworkDescription qwen = describe("qwen2-moe-sparse-step");
  ASSERT_EQ(qwen.kinds.size(), 2U);
  EXPECT_EQ(qwen.kinds[0].layers, (Ranges{{0, 0}, {2, 2}}));
  EXPECT_FALSE(qwen.kinds[0].ffn.routing);
  ASSERT_TRUE(qwen.kinds[1].ffn.routing);
  EXPECT_EQ(qwen.kinds[1].ffn.routing->experts, 8);
  EXPECT_EQ(qwen.kinds[1].ffn.routing->used, 3);
  EXPECT_FALSE(qwen.kinds[1].ffn.routing->normalized);
  EXPECT_TRUE(qwen.kinds[1].ffn.routing->shared_gate);
  EXPECT_EQ(find(qwen.kinds[1].ffn.matrices, "down"),
            (MatrixDescription{.name = "down", .rows = 32, .cols = 16, .copies = 8}));
  EXPECT_EQ(find(qwen.kinds[1].ffn.matrices, "shared_down").cols, 24);
}

TEST(DescribeNetwork, LatentAttention) {
  const NetworkDescription v3 = describe("deepseek-v3");
  ASSERT_EQ(v3.kinds.size(), 2U);
  EXPECT_EQ(v3.kinds[0].layers, (Ranges{{0, 0}}));
  EXPECT_EQ(v3.kinds[1].layers, (Ranges{{1, 2}}));
  const AttentionDescription& attention = v3.kinds[1].attention;
  ASSERT_TRUE(attention.latent);
  EXPECT_EQ(*attention.latent, (LatentDescription{20, 24, 16, 8, 12}));
  EXPECT_EQ(names(attention.matrices),
            (Names{"q_down", "kv_down", "q_up", "k_absorbed", "v_up", "output"}));
  EXPECT_EQ(find(attention.matrices, "v_up"),
            (MatrixDescription{.name = "v_up", .rows = 12, .cols = 24, .copies = 2}));
  EXPECT_EQ(attention.rope->scaling, "yarn");
  EXPECT_EQ(attention.rope->original_positions, 32);
  EXPECT_EQ(attention.rope->attention_factor, 1.0F);
  const RoutingDescription& routing = *v3.kinds[1].ffn.routing;
  EXPECT_EQ(routing.score, "sigmoid");
  EXPECT_TRUE(routing.choice_bias);
  EXPECT_EQ(routing.groups, 4);
  EXPECT_EQ(routing.groups_used, 2);
  EXPECT_EQ(routing.group_score, "best two");
  EXPECT_EQ(routing.scale, 2.5F);
  EXPECT_EQ(describe("deepseek-v2-lite").kinds[0].attention.latent->q_latent, 0);
}

TEST(DescribeNetwork, AGgufFileOfTheSameModelIsDescribedAlike) {
  for (const std::string name : {"llama-bias", "mixtral", "qwen2-yarn", "qwen3", "phi2", "phi3",
                                 "falcon-7b", "stablelm-12b", "deepseek-v2-lite", "deepseek-v3"}) {
    const NetworkDescription directory = describe(name);
    const NetworkDescription gguf = describe(name + ".gguf");
    ASSERT_EQ(directory.kinds.size(), gguf.kinds.size()) << name;
    for (std::size_t k = 0; k < directory.kinds.size(); ++k) {
      EXPECT_EQ(directory.kinds[k].layers, gguf.kinds[k].layers) << name;
      EXPECT_EQ(directory.kinds[k].norms, gguf.kinds[k].norms) << name;
      EXPECT_EQ(directory.kinds[k].attention.matrices, gguf.kinds[k].attention.matrices) << name;
      EXPECT_EQ(directory.kinds[k].attention.window, gguf.kinds[k].attention.window) << name;
      EXPECT_EQ(directory.kinds[k].ffn, gguf.kinds[k].ffn) << name;
    }
    EXPECT_EQ(directory.head_tied, gguf.head_tied) << name;
  }
}

TEST(DescribeNetwork, MatricesAreNotRead) {
  // Loading looks at every value and would refuse these; the norms are read.
  const TempDir directory;
  const std::string from = kModels + "llama-tied/";
  std::filesystem::copy(from + "config.json", directory.path() / "config.json");
  std::ifstream file(from + "model.safetensors", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::uint64_t header = 0;
  std::copy_n(bytes.data(), sizeof header, reinterpret_cast<char*>(&header));
  const auto json = core::parse_json(bytes.substr(8, header), "header").value();
  for (const auto& [name, entry] : json.items()) {
    if (name == "__metadata__" || entry["shape"].size() != 2) continue;
    const std::size_t begin = 8 + header + entry["data_offsets"][0].get<std::size_t>();
    const std::size_t end = 8 + header + entry["data_offsets"][1].get<std::size_t>();
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
              bytes.begin() + static_cast<std::ptrdiff_t>(end), '\xff');
  }
  directory.write("model.safetensors", bytes);
  const auto network = describe_network(directory.path().string(), "");
  ASSERT_TRUE(network) << network.error().message();
  EXPECT_TRUE(network->head_tied);
}

TEST(DescribeNetwork, WhatDoesNotFitTheArchitectureIsAnError) {
  const TempDir directory;
  const std::string from = kModels + "llama-gqa/";
  std::filesystem::copy(from + "model.safetensors", directory.path() / "model.safetensors");
  std::ifstream file(from + "config.json");
  core::Json config = core::Json::parse(file);
  config["intermediate_size"] = 95;
  directory.write("config.json", config.dump());
  const auto network = describe_network(directory.path().string(), "");
  ASSERT_FALSE(network);
  EXPECT_NE(network.error().message().find("gate_proj"), std::string::npos);
}

}  // namespace
}  // namespace llm::offline
