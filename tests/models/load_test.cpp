// Every tensor that an architecture needs is asked for by name and shape, and no other is accepted.
#include "models/load.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "core/json.h"
#include "kernels/kernels.h"
#include "support/temp_dir.h"

namespace llm::models {
namespace {

namespace fs = std::filesystem;

/// Loads a checkpoint of tests/fixtures/models after `edit` changed the header of its weights.
template <class Edit>
Result<LoadedModel> load_edited(const std::string& fixture, Edit edit) {
  const fs::path from = fs::path(LLM_SOURCE_DIR) / "tests/fixtures/models" / fixture;
  const TempDir directory;
  fs::copy(from / "config.json", directory.path() / "config.json");
  std::ifstream file(from / "model.safetensors", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  core::Json header = core::parse_json(bytes.substr(8, length), "header").value();
  edit(header);
  const std::string text = header.dump();
  const std::uint64_t new_length = text.size();
  std::string edited(reinterpret_cast<const char*>(&new_length), sizeof new_length);
  directory.write("model.safetensors", edited + text + bytes.substr(8 + length));
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile model, formats::ModelFile::open(directory.path()));
  core::ThreadPool pool(1);
  return load_decoder(model, {}, *kernels::available_ops().back(), pool);
}

void rename(core::Json& header, const std::string& from, const std::string& to) {
  ASSERT_TRUE(header.contains(from)) << from;
  header[to] = header[from];
  header.erase(from);
}

TEST(Load, EachTensorIsMissedByName) {
  const std::pair<const char*, const char*> needed[] = {
      {"qwen2", "model.layers.1.self_attn.k_proj.bias"},
      {"qwen3", "model.layers.0.self_attn.q_norm.weight"},
      {"phi2", "model.layers.1.mlp.fc2.bias"},
      {"phi2", "lm_head.bias"},
      {"phi3", "model.layers.0.self_attn.qkv_proj.weight"},
      {"phi3", "model.layers.1.mlp.gate_up_proj.weight"},
      {"gemma2", "model.layers.0.post_feedforward_layernorm.weight"},
      {"falcon-40b", "transformer.h.0.ln_mlp.weight"},
      {"falcon-7b", "transformer.ln_f.bias"},
      {"stablelm-12b", "model.layers.0.self_attn.k_layernorm.norms.0.weight"},
      {"mixtral", "model.layers.1.block_sparse_moe.experts.7.w2.weight"},
      {"mixtral", "model.layers.0.block_sparse_moe.gate.weight"},
      {"qwen2-moe", "model.layers.0.mlp.shared_expert.up_proj.weight"},
      {"deepseek-v2", "model.layers.1.self_attn.q_a_layernorm.weight"},
      {"deepseek-v2-lite", "model.layers.0.self_attn.kv_b_proj.weight"},
      {"deepseek-v3", "model.layers.2.mlp.shared_experts.down_proj.weight"},
      {"deepseek-v3-fp8", "model.layers.0.self_attn.kv_b_proj.weight_scale_inv"},
  };
  for (const auto& [fixture, tensor] : needed) {
    const auto model =
        load_edited(fixture, [&](core::Json& header) { rename(header, tensor, "elsewhere"); });
    ASSERT_FALSE(model) << fixture << " " << tensor;
    EXPECT_NE(model.error().message().find(tensor), std::string::npos) << model.error().message();
  }
}

TEST(Load, WrongShapesAreRefusedWithBoth) {
  const std::pair<const char*, const char*> tensors[] = {
      {"phi3", "model.layers.0.self_attn.qkv_proj.weight"},
      {"falcon-40b", "transformer.h.0.self_attention.query_key_value.weight"},
      {"mixtral", "model.layers.0.block_sparse_moe.experts.3.w1.weight"},
      {"qwen3-moe", "model.layers.0.mlp.gate.weight"},
      {"deepseek-v2", "model.layers.0.self_attn.q_b_proj.weight"},
      {"deepseek-v3-fp8", "model.layers.0.self_attn.q_b_proj.weight"},
  };
  for (const auto& [fixture, tensor] : tensors) {
    const auto model = load_edited(fixture, [&](core::Json& header) {
      core::Json& shape = header[tensor]["shape"];
      shape = {shape[1], shape[0]};
    });
    ASSERT_FALSE(model) << fixture << " " << tensor;
    EXPECT_NE(model.error().message().find(tensor), std::string::npos);
    EXPECT_NE(model.error().message().find("expected shape"), std::string::npos);
  }
}

TEST(Load, ATensorWithoutAPlaceIsRefused) {
  // Experts in a layer that the configuration calls dense, for instance.
  const auto model = load_edited("gemma", [](core::Json& header) {
    header["vision_tower.patch.weight"] = {
        {"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
  });
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message().find("vision_tower.patch.weight"), std::string::npos);
}

}  // namespace
}  // namespace llm::models
