// Phi-1.5 and Phi-2: attention and a plain feed-forward network side by side after one layer norm,
// biases everywhere, part of each head rotated (Li et al. 2023; Hugging Face PhiForCausalLM).
// Phi-3, 3.5 and Phi-4-mini: Llama with fused projections and LongRoPE (Abdin et al. 2024; Hugging
// Face Phi3ForCausalLM).
#include "core/error.h"
#include "models/arch/specs.h"
#include "models/config.h"
#include "models/gguf_export.h"

namespace llm::models::arch {
namespace {

constexpr TensorNames phi_names() {
  TensorNames names = kLlamaHfNames;
  names.o = "model.layers.{}.self_attn.dense.weight";
  names.ffn_norm = {};
  names.up = "model.layers.{}.mlp.fc1.weight";
  names.down = "model.layers.{}.mlp.fc2.weight";
  names.final_norm = "model.final_layernorm.weight";
  return names;
}

constexpr TensorNames phi_gguf_names() {
  TensorNames names = kLlamaGgufNames;
  names.ffn_norm = {};
  return names;
}

Status refuse_head_norms(const formats::HfConfig& keys, ModelConfig& /*config*/) {
  LLM_ASSIGN_OR_RETURN(const bool head_norms, keys.get_bool("qk_layernorm", false));
  if (head_norms) return core::unsupported("{}: qk_layernorm: true is not supported", keys.where());
  return {};
}

constexpr TensorNames phi3_names() {
  TensorNames names = kLlamaHfNames;
  names.q = names.k = names.v = names.gate = names.up = {};
  names.qkv = "model.layers.{}.self_attn.qkv_proj.weight";
  names.gate_up = "model.layers.{}.mlp.gate_up_proj.weight";
  return names;
}

constexpr TensorNames phi3_gguf_names() {
  TensorNames names = kLlamaGgufNames;
  names.gate = names.up = {};
  names.gate_up = "blk.{}.ffn_up.weight";
  return names;
}

// Readers fill in what they know of Phi-3 where these keys are missing.
void write_phi3(const ModelConfig& config, GgufExport& out) {
  const RopeConfig& rope = config.rope();
  out.set("attention.sliding_window", config.layers[0].window);
  out.set("rope.scaling.original_context_length",
          rope.scaling == RopeScaling::longrope ? rope.original_positions : config.max_positions);
}

}  // namespace

extern constexpr ArchSpec kPhi{.family = "phi",
                               .model_type = "phi",
                               .hf_class = "PhiForCausalLM",
                               .gguf_architecture = "phi2",
                               .defaults = {.partial_rotary = 0.5, .norm_eps = 1e-5},
                               .keys = {.norm_eps = "layer_norm_eps"},
                               .hf_names = phi_names(),
                               .gguf_names = phi_gguf_names(),
                               .form = LayerForm::parallel,
                               .norm = NormKind::layer,
                               .ffn = FfnKind::plain,
                               .activation = kernels::Activation::gelu_tanh,
                               .qkv_bias = {.key = {}, .fallback = true},
                               .output_bias = {.key = {}, .fallback = true},
                               .mlp_bias = {.key = {}, .fallback = true},
                               .head_bias = {.key = {}, .fallback = true},
                               .finish_hf = refuse_head_norms};

extern constexpr ArchSpec kPhi3{.family = "phi3",
                                .model_type = "phi3",
                                .hf_class = "Phi3ForCausalLM",
                                .gguf_architecture = "phi3",
                                .defaults = {.max_positions = 4096, .norm_eps = 1e-5},
                                .keys = {.sliding_window = "sliding_window"},
                                .hf_names = phi3_names(),
                                .gguf_names = phi3_gguf_names(),
                                .qkv_bias = {},
                                .output_bias = {},
                                .mlp_bias = {},
                                .write_gguf = write_phi3};

}  // namespace llm::models::arch
