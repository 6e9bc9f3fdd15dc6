// Mixtral: Mistral with eight feed-forward networks per layer, of which each token uses two. Jiang
// et al. 2024; Hugging Face MixtralForCausalLM. In GGUF it is written as "llama".
#include "models/arch/specs.h"
#include "models/config.h"

namespace llm::models::arch {
namespace {

constexpr TensorNames names() {
  TensorNames names = kLlamaHfNames;
  names.router = "model.layers.{}.block_sparse_moe.gate.weight";
  names.expert_gate = "model.layers.{}.block_sparse_moe.experts.{e}.w1.weight";
  names.expert_down = "model.layers.{}.block_sparse_moe.experts.{e}.w2.weight";
  names.expert_up = "model.layers.{}.block_sparse_moe.experts.{e}.w3.weight";
  return names;
}

Status read_experts(const formats::HfConfig& keys, ModelConfig& config) {
  MoeConfig& moe = config.moe;
  LLM_ASSIGN_OR_RETURN(moe.n_experts, keys.get_int("num_local_experts", 8));
  LLM_ASSIGN_OR_RETURN(moe.n_used, keys.get_int("num_experts_per_tok", 2));
  moe.ffn_size = config.ffn_size;
  moe.routing.normalize = true;
  for (LayerConfig& layer : config.layers) layer.moe = true;
  return {};
}

}  // namespace

extern constexpr ArchSpec kMixtral{
    .family = "mixtral",
    .model_type = "mixtral",
    .hf_class = "MixtralForCausalLM",
    .gguf_architecture = "",
    .gguf_alias = "llama",
    .defaults = {.n_kv_heads = 8, .max_positions = 131072, .rope_theta = 1e6, .norm_eps = 1e-5},
    .keys = {.sliding_window = "sliding_window"},
    .hf_names = names(),
    .qkv_bias = {},
    .output_bias = {},
    .mlp_bias = {},
    .gguf_normalizes_experts = true,
    .gguf_interleaved_rope = true,
    .finish_hf = read_experts};

}  // namespace llm::models::arch
