// Mistral: Llama with a sliding attention window on every layer where the configuration names one.
// Jiang et al. 2023; Hugging Face MistralForCausalLM. In GGUF it is written as "llama".
#include "models/arch/specs.h"

namespace llm::models::arch {

extern constexpr ArchSpec kMistral{
    .family = "mistral",
    .model_type = "mistral",
    .hf_class = "MistralForCausalLM",
    .gguf_architecture = "",
    .gguf_alias = "llama",
    .defaults = {.n_kv_heads = 8, .max_positions = 131072, .sliding_window = 4096},
    .keys = {.sliding_window = "sliding_window"},
    .qkv_bias = {},
    .output_bias = {},
    .mlp_bias = {},
    .gguf_interleaved_rope = true};

}  // namespace llm::models::arch
