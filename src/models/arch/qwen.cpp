// Qwen2 and Qwen2.5: Llama with biases on q, k and v; Qwen3: Llama with norms of each head instead.
// Their mixtures of experts: Qwen2-MoE with a gated shared expert, Qwen3-MoE without. All may slide
// from layer max_window_layers on. Qwen Team 2024, 2025; Hugging Face Qwen2ForCausalLM and
// Qwen3ForCausalLM. DeepSeek-R1-Distill-Qwen is Qwen2.
#include <algorithm>

#include "core/error.h"
#include "models/arch/specs.h"
#include "models/layer_windows.h"

namespace llm::models::arch {
namespace {

Status read_windows(const formats::HfConfig& keys, ModelConfig& config) {
  LLM_ASSIGN_OR_RETURN(const bool slides, keys.get_bool("use_sliding_window", false));
  if (!slides || keys.is_null("sliding_window")) return {};
  LLM_ASSIGN_OR_RETURN(const std::int64_t window, keys.get_int("sliding_window", 4096));
  LLM_ASSIGN_OR_RETURN(const std::int64_t first, keys.get_int("max_window_layers", 28));
  return set_layer_windows(
      keys, window, [&](std::int64_t layer) { return layer >= first; }, config);
}

Status read_experts(const formats::HfConfig& keys, ModelConfig& config) {
  MoeConfig& moe = config.moe;
  LLM_ASSIGN_OR_RETURN(moe.n_experts, keys.get_int("num_experts", moe.n_experts));
  LLM_ASSIGN_OR_RETURN(moe.n_used, keys.get_int("num_experts_per_tok", moe.n_used));
  LLM_ASSIGN_OR_RETURN(moe.ffn_size, keys.get_int("moe_intermediate_size", moe.ffn_size));
  LLM_ASSIGN_OR_RETURN(moe.routing.normalize, keys.get_bool("norm_topk_prob", false));
  LLM_ASSIGN_OR_RETURN(const std::int64_t step, keys.get_int("decoder_sparse_step", 1));
  if (step < 1) {
    return core::corrupt_data("{}: decoder_sparse_step: expected at least 1, found {}",
                              keys.where(), step);
  }
  const auto listed = keys.json().find("mlp_only_layers");
  for (std::int64_t l = 0; l < config.n_layers; ++l) {
    const bool dense = listed != keys.json().end() && listed->is_array() &&
                       std::find(listed->begin(), listed->end(), l) != listed->end();
    config.layers[static_cast<std::size_t>(l)].moe = !dense && (l + 1) % step == 0;
  }
  return read_windows(keys, config);
}

Status read_qwen2_experts(const formats::HfConfig& keys, ModelConfig& config) {
  config.moe = {.n_experts = 60, .n_used = 4, .ffn_size = 1408};
  LLM_ASSIGN_OR_RETURN(config.moe.shared_ffn_size,
                       keys.get_int("shared_expert_intermediate_size", 5632));
  return read_experts(keys, config);
}

Status read_qwen3_experts(const formats::HfConfig& keys, ModelConfig& config) {
  config.moe = {.n_experts = 128, .n_used = 8, .ffn_size = 768};
  return read_experts(keys, config);
}

constexpr TensorNames with_experts(TensorNames names) {
  names.router = "model.layers.{}.mlp.gate.weight";
  names.expert_gate = "model.layers.{}.mlp.experts.{e}.gate_proj.weight";
  names.expert_up = "model.layers.{}.mlp.experts.{e}.up_proj.weight";
  names.expert_down = "model.layers.{}.mlp.experts.{e}.down_proj.weight";
  names.shared_gate = "model.layers.{}.mlp.shared_expert.gate_proj.weight";
  names.shared_up = "model.layers.{}.mlp.shared_expert.up_proj.weight";
  names.shared_down = "model.layers.{}.mlp.shared_expert.down_proj.weight";
  names.shared_router = "model.layers.{}.mlp.shared_expert_gate.weight";
  return names;
}

constexpr TensorNames qwen3_names() {
  TensorNames names = kLlamaHfNames;
  names.q_norm = "model.layers.{}.self_attn.q_norm.weight";
  names.k_norm = "model.layers.{}.self_attn.k_norm.weight";
  return names;
}

}  // namespace

extern constexpr ArchSpec kQwen2{.family = "qwen2",
                                 .model_type = "qwen2",
                                 .hf_class = "Qwen2ForCausalLM",
                                 .gguf_architecture = "qwen2",
                                 .defaults = {.n_kv_heads = 32, .max_positions = 32768},
                                 .qkv_bias = {.key = {}, .fallback = true},
                                 .output_bias = {},
                                 .mlp_bias = {},
                                 .finish_hf = read_windows};

extern constexpr ArchSpec kQwen3{
    .family = "qwen3",
    .model_type = "qwen3",
    .hf_class = "Qwen3ForCausalLM",
    .gguf_architecture = "qwen3",
    .defaults = {.n_kv_heads = 32, .head_dim = 128, .max_positions = 32768},
    .hf_names = qwen3_names(),
    .mlp_bias = {},
    .head_norms = {.key = {}, .fallback = true},
    .finish_hf = read_windows};

extern constexpr ArchSpec kQwen2Moe{.family = "qwen2_moe",
                                    .model_type = "qwen2_moe",
                                    .hf_class = "Qwen2MoeForCausalLM",
                                    .gguf_architecture = "qwen2moe",
                                    .defaults = {.n_kv_heads = 16, .max_positions = 32768},
                                    .hf_names = with_experts(kLlamaHfNames),
                                    .qkv_bias = {"qkv_bias", true},
                                    .output_bias = {},
                                    .mlp_bias = {},
                                    .finish_hf = read_qwen2_experts};

extern constexpr ArchSpec kQwen3Moe{.family = "qwen3_moe",
                                    .model_type = "qwen3_moe",
                                    .hf_class = "Qwen3MoeForCausalLM",
                                    .gguf_architecture = "qwen3moe",
                                    .defaults = {.n_kv_heads = 4, .max_positions = 32768},
                                    .hf_names = with_experts(qwen3_names()),
                                    .mlp_bias = {},
                                    .head_norms = {.key = {}, .fallback = true},
                                    .gguf_normalizes_experts = true,
                                    .finish_hf = read_qwen3_experts};

}  // namespace llm::models::arch
