// StableLM-2: Llama with layer norms and part of each head rotated; the 1.6B has biases on q, k and
// v, the 12B norms of each head by its own weights, and its two halves side by side after one norm.
// Bellagente et al. 2024; Hugging Face StableLmForCausalLM.
#include "models/arch/specs.h"
#include "models/config.h"
#include "models/gguf_export.h"
#include "models/gguf_keys.h"

namespace llm::models::arch {
namespace {

constexpr TensorNames names() {
  TensorNames names = kLlamaHfNames;
  names.q_norm = "model.layers.{}.self_attn.q_layernorm.norms.{h}.weight";
  names.k_norm = "model.layers.{}.self_attn.k_layernorm.norms.{h}.weight";
  return names;
}

void make_parallel(ModelConfig& config) {
  config.form = LayerForm::parallel;
  config.names.ffn_norm = {};
}

Status read_form(const formats::HfConfig& keys, ModelConfig& config) {
  LLM_ASSIGN_OR_RETURN(const bool parallel, keys.get_bool("use_parallel_residual", false));
  if (parallel) make_parallel(config);
  return {};
}

// Writers disagree on what a missing use_parallel_residual means; the second norm tells.
Status read_gguf_form(const GgufKeys& keys, ModelConfig& config) {
  if (!keys.has_tensor(config.names.ffn_norm)) make_parallel(config);
  return {};
}

void write_gguf(const ModelConfig& config, GgufExport& out) {
  out.set("use_parallel_residual", config.form == LayerForm::parallel);
}

}  // namespace

extern constexpr ArchSpec kStableLm{
    .family = "stablelm",
    .model_type = "stablelm",
    .hf_class = "StableLmForCausalLM",
    .gguf_architecture = "stablelm",
    .defaults = {.n_kv_heads = 32, .max_positions = 4096, .partial_rotary = 0.25, .norm_eps = 1e-5},
    .keys = {.norm_eps = "layer_norm_eps"},
    .hf_names = names(),
    .norm = NormKind::layer,
    .qkv_bias = {"use_qkv_bias", false},
    .output_bias = {},
    .mlp_bias = {},
    .head_norms = {"qk_layernorm", false},
    .finish_hf = read_form,
    .finish_gguf = read_gguf_form,
    .write_gguf = write_gguf};

}  // namespace llm::models::arch
