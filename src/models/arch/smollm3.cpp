// SmolLM3: Llama in which every fourth layer does not rotate (Yang et al. 2025, arXiv 2501.18795).
// Bakouch et al. 2025; Hugging Face SmolLM3ForCausalLM.
#include "models/arch/specs.h"
#include "models/gguf_keys.h"
#include "models/layer_windows.h"

namespace llm::models::arch {
namespace {

void stop_rotating(std::int64_t interval, ModelConfig& config) {
  for (std::int64_t l = interval - 1; l < config.n_layers; l += interval) {
    config.layers[static_cast<std::size_t>(l)].rope = kNoRope;
  }
}

Status read_layers(const formats::HfConfig& keys, ModelConfig& config) {
  LLM_ASSIGN_OR_RETURN(const std::int64_t interval, keys.get_int("no_rope_layer_interval", 4));
  if (keys.has_value("no_rope_layers")) {
    // Which layers do rotate, whatever the name says.
    LLM_ASSIGN_OR_RETURN(const std::vector<float> rotates,
                         keys.require_floats("no_rope_layers", config.layers.size()));
    for (std::size_t l = 0; l < rotates.size(); ++l) {
      config.layers[l].rope = rotates[l] != 0.0F ? 0 : kNoRope;
    }
  } else if (interval > 0) {
    stop_rotating(interval, config);
  }
  LLM_ASSIGN_OR_RETURN(const bool slides, keys.get_bool("use_sliding_window", false));
  LLM_ASSIGN_OR_RETURN(const std::int64_t window, keys.get_int("sliding_window", 0));
  return set_layer_windows(
      keys, slides ? window : 0,
      [&](std::int64_t l) { return config.layers[static_cast<std::size_t>(l)].rope == kNoRope; },
      config);
}

Status read_gguf_layers(const GgufKeys& /*keys*/, ModelConfig& config) {
  stop_rotating(4, config);
  return {};
}

}  // namespace

extern constexpr ArchSpec kSmolLm3{.family = "smollm3",
                                   .model_type = "smollm3",
                                   .hf_class = "SmolLM3ForCausalLM",
                                   .gguf_architecture = "smollm3",
                                   .defaults = {.n_kv_heads = 4,
                                                .max_positions = 32768,
                                                .rope_theta = 2e6,
                                                .tie_embeddings = true},
                                   .gguf_interleaved_rope = true,
                                   .finish_hf = read_layers,
                                   .finish_gguf = read_gguf_layers};

}  // namespace llm::models::arch
