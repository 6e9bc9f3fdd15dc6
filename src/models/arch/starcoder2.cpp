// StarCoder2: layer norms, a plain feed-forward network, biases everywhere, a sliding window.
// Lozhkov et al. 2024; Hugging Face Starcoder2ForCausalLM.
#include "models/arch/specs.h"

namespace llm::models::arch {
namespace {

constexpr TensorNames names() {
  TensorNames names = kLlamaHfNames;
  names.up = "model.layers.{}.mlp.c_fc.weight";
  names.down = "model.layers.{}.mlp.c_proj.weight";
  return names;
}

}  // namespace

extern constexpr ArchSpec kStarcoder2{
    .family = "starcoder2",
    .model_type = "starcoder2",
    .hf_class = "Starcoder2ForCausalLM",
    .gguf_architecture = "starcoder2",
    .defaults = {.n_kv_heads = 2, .max_positions = 4096, .norm_eps = 1e-5, .tie_embeddings = true},
    .keys = {.norm_eps = "norm_epsilon", .sliding_window = "sliding_window"},
    .hf_names = names(),
    .norm = NormKind::layer,
    .ffn = FfnKind::plain,
    .activation = kernels::Activation::gelu_tanh,
    .qkv_bias = {"use_bias", true},
    .output_bias = {"use_bias", true},
    .mlp_bias = {"use_bias", true}};

}  // namespace llm::models::arch
