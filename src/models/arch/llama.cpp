// Llama 1, 2, 3, 3.1, 3.2, 3.3; also Yi and DeepSeek-LLM / DeepSeek-Coder v1, which are Llama under
// their own weights. Touvron et al. 2023; Hugging Face LlamaForCausalLM.
#include "models/arch/specs.h"

namespace llm::models::arch {

extern constexpr ArchSpec kLlama{.family = "llama",
                                 .model_type = "llama",
                                 .hf_class = "LlamaForCausalLM",
                                 .gguf_architecture = "llama",
                                 .gguf_normalizes_experts = true,
                                 .gguf_interleaved_rope = true};

}  // namespace llm::models::arch
