// Gemma 1, 2 and 3 (text): Llama with norms by 1 + w, embeddings scaled by sqrt(hidden_size), and a
// tanh GELU; from 2 on norms of each half's output, layers that see a window between layers that
// see everything, and soft caps (2) or norms of each head and two rotations (3). Gemma Team 2024,
// 2024, 2025; Hugging Face GemmaForCausalLM, Gemma2ForCausalLM, Gemma3ForCausalLM.
#include <algorithm>
#include <cmath>

#include "models/arch/specs.h"
#include "models/gguf_export.h"
#include "models/gguf_keys.h"
#include "models/layer_windows.h"

namespace llm::models::arch {
namespace {

constexpr double kGemma3LocalTheta = 10000.0;

constexpr TensorNames gemma2_names() {
  TensorNames names = kLlamaHfNames;
  names.post_attention_norm = "model.layers.{}.post_attention_layernorm.weight";
  names.ffn_norm = "model.layers.{}.pre_feedforward_layernorm.weight";
  names.post_ffn_norm = "model.layers.{}.post_feedforward_layernorm.weight";
  return names;
}

constexpr TensorNames gemma3_names() {
  TensorNames names = gemma2_names();
  names.q_norm = "model.layers.{}.self_attn.q_norm.weight";
  names.k_norm = "model.layers.{}.self_attn.k_norm.weight";
  return names;
}

constexpr TensorNames gguf_names() {
  TensorNames names = kLlamaGgufNames;
  names.post_attention_norm = "blk.{}.post_attention_norm.weight";
  names.post_ffn_norm = "blk.{}.post_ffw_norm.weight";
  return names;
}

// A cap that is null is off; one that is absent has the class's default.
Result<double> read_cap(const formats::HfConfig& keys, std::string_view key, double fallback) {
  return keys.get_float(key, keys.is_null(key) ? 0.0 : fallback);
}

Status read_scale_and_caps(const formats::HfConfig& keys, double attention_cap, double final_cap,
                           ModelConfig& config) {
  LLM_ASSIGN_OR_RETURN(const double scalar, keys.get_float("query_pre_attn_scalar", 256.0));
  config.attention_scale = 1.0 / std::sqrt(scalar);
  LLM_ASSIGN_OR_RETURN(config.attention_softcap,
                       read_cap(keys, "attn_logit_softcapping", attention_cap));
  LLM_ASSIGN_OR_RETURN(config.final_softcap, read_cap(keys, "final_logit_softcapping", final_cap));
  return {};
}

// The first layer does.
constexpr auto gemma2_slides = [](std::int64_t layer) { return layer % 2 == 0; };

Status finish_gemma2(const formats::HfConfig& keys, ModelConfig& config) {
  LLM_RETURN_IF_ERROR(read_scale_and_caps(keys, 50.0, 30.0, config));
  return set_layer_windows(keys, config.layers[0].window, gemma2_slides, config);
}

// The sliding layers rotate by a base of their own, without scaling.
void add_local_rope(double theta, ModelConfig& config) {
  config.ropes.push_back({.theta = theta, .rotary_dim = config.rope().rotary_dim});
  for (LayerConfig& layer : config.layers) layer.rope = layer.window > 0 ? 1 : 0;
}

Status finish_gemma3(const formats::HfConfig& keys, ModelConfig& config) {
  LLM_RETURN_IF_ERROR(read_scale_and_caps(keys, 0.0, 0.0, config));
  LLM_ASSIGN_OR_RETURN(const std::int64_t pattern, keys.get_int("sliding_window_pattern", 6));
  LLM_RETURN_IF_ERROR(set_layer_windows(
      keys, config.layers[0].window,
      [&](std::int64_t layer) { return pattern < 1 || (layer + 1) % pattern != 0; }, config));
  LLM_ASSIGN_OR_RETURN(double theta, keys.get_float("rope_local_base_freq", kGemma3LocalTheta));
  LLM_ASSIGN_OR_RETURN(const formats::HfConfig gathered, keys.get_object("rope_parameters"));
  LLM_ASSIGN_OR_RETURN(const formats::HfConfig local, gathered.get_object("sliding_attention"));
  LLM_ASSIGN_OR_RETURN(theta, local.get_float("rope_theta", theta));
  add_local_rope(theta, config);
  return {};
}

// Files of these do not state the scale. query_pre_attn_scalar is the head's width but in the 27B
// models, known by heads narrower than those of all others (and not by their number of layers,
// which pruning and merging change).
void set_gguf_scale(ModelConfig& config) {
  constexpr std::int64_t kHeadDimOf27B = 128;
  if (config.attention_scale > 0) return;
  const std::int64_t scalar =
      config.head_dim == kHeadDimOf27B ? config.hidden_size / config.n_heads : config.head_dim;
  config.attention_scale = 1.0 / std::sqrt(static_cast<double>(scalar));
}

// Which layers slide: each by itself, or all but every `pattern`-th (0: all).
Status read_gguf_windows(const GgufKeys& keys, std::int64_t window, std::int64_t pattern,
                         ModelConfig& config) {
  constexpr std::string_view kPattern = "attention.sliding_window_pattern";
  LLM_ASSIGN_OR_RETURN(const std::vector<bool> slides, keys.layer_bools(kPattern, config.n_layers));
  if (slides.empty()) {
    LLM_ASSIGN_OR_RETURN(pattern, keys.int_or(kPattern, pattern));
  }
  for (std::size_t l = 0; l < config.layers.size(); ++l) {
    const auto layer = static_cast<std::int64_t>(l);
    const bool sliding = slides.empty() ? pattern < 1 || (layer + 1) % pattern != 0 : slides[l];
    config.layers[l].window = sliding ? window : 0;
  }
  return {};
}

Status finish_gguf_gemma2(const GgufKeys& keys, ModelConfig& config) {
  set_gguf_scale(config);
  LLM_ASSIGN_OR_RETURN(config.attention_softcap, keys.float_or("attn_logit_softcapping", 50.0));
  LLM_ASSIGN_OR_RETURN(config.final_softcap, keys.float_or("final_logit_softcapping", 30.0));
  LLM_ASSIGN_OR_RETURN(const std::int64_t window, keys.int_or("attention.sliding_window", 4096));
  return read_gguf_windows(keys, window, 2, config);
}

Status finish_gguf_gemma3(const GgufKeys& keys, ModelConfig& config) {
  set_gguf_scale(config);
  LLM_ASSIGN_OR_RETURN(config.final_softcap, keys.float_or("final_logit_softcapping", 0.0));
  LLM_RETURN_IF_ERROR(read_gguf_windows(keys, config.layers[0].window, 6, config));
  LLM_ASSIGN_OR_RETURN(const double theta, keys.float_or("rope.freq_base_swa", kGemma3LocalTheta));
  add_local_rope(theta, config);
  return {};
}

void write_gemma2(const ModelConfig& config, GgufExport& out) {
  out.set("attn_logit_softcapping", config.attention_softcap);
  out.set("final_logit_softcapping", config.final_softcap);
  if (config.layers[0].window == 0) out.set("attention.sliding_window", config.max_positions);
}

void write_gemma3(const ModelConfig& config, GgufExport& out) {
  out.set("rope.freq_base_swa", config.ropes.back().theta);
  // Which layers see everything is a rule: every n-th.
  constexpr std::int64_t kUsual = 6;
  std::int64_t every = 1;
  while (every <= config.n_layers &&
         config.layers[static_cast<std::size_t>(every - 1)].window > 0) {
    ++every;
  }
  if (every != std::min(kUsual, config.n_layers + 1)) {
    out.set("attention.sliding_window_pattern", every);
  }
}

// What the three have in common.
constexpr ArchSpec gemma(std::string_view name, std::string_view hf_class) {
  return {.family = name,
          .model_type = name,
          .hf_class = hf_class,
          .gguf_architecture = name,
          .defaults = {.head_dim = 256, .max_positions = 8192, .tie_embeddings = true},
          .keys = {.activation = "hidden_activation"},
          .gguf_names = gguf_names(),
          .hf_norm_offset = 1.0F,
          .scale_embedding = true,
          .activation = kernels::Activation::gelu_tanh,
          .mlp_bias = {}};
}

constexpr ArchSpec gemma1() {
  ArchSpec spec = gemma("gemma", "GemmaForCausalLM");
  spec.defaults.n_kv_heads = 16;
  spec.gguf_names = kLlamaGgufNames;
  return spec;
}

constexpr ArchSpec gemma2() {
  ArchSpec spec = gemma("gemma2", "Gemma2ForCausalLM");
  spec.defaults.n_heads = 8;
  spec.defaults.n_kv_heads = 4;
  spec.defaults.sliding_window = 4096;
  spec.keys.sliding_window = "sliding_window";
  spec.gguf_window_is_common = true;
  spec.hf_names = gemma2_names();
  spec.finish_hf = finish_gemma2;
  spec.finish_gguf = finish_gguf_gemma2;
  spec.write_gguf = write_gemma2;
  return spec;
}

constexpr ArchSpec gemma3() {
  ArchSpec spec = gemma2();
  spec.family = spec.gguf_architecture = "gemma3";
  spec.model_type = "gemma3_text";
  spec.hf_class = "Gemma3ForCausalLM";
  spec.defaults.vocab_size = 262208;
  spec.defaults.hidden_size = 2304;
  spec.defaults.ffn_size = 9216;
  spec.defaults.n_layers = 26;
  spec.defaults.max_positions = 131072;
  spec.defaults.rope_theta = 1e6;
  spec.hf_names = gemma3_names();
  spec.head_norms = {.key = {}, .fallback = true};
  spec.finish_hf = finish_gemma3;
  spec.finish_gguf = finish_gguf_gemma3;
  spec.write_gguf = write_gemma3;
  return spec;
}

// A model that also sees: its text part.
constexpr ArchSpec gemma3_multimodal() {
  ArchSpec spec = gemma3();
  spec.model_type = "gemma3";
  spec.hf_class = "Gemma3ForConditionalGeneration";
  spec.gguf_alias = spec.gguf_architecture;
  spec.gguf_architecture = {};
  spec.nested_config = "text_config";
  spec.hf_prefixes = "language_model.model. model.language_model.";
  spec.ignored_prefixes =
      "vision_tower. multi_modal_projector. model.vision_tower. model.multi_modal_projector.";
  return spec;
}

}  // namespace

extern constexpr ArchSpec kGemma = gemma1();
extern constexpr ArchSpec kGemma2 = gemma2();
extern constexpr ArchSpec kGemma3 = gemma3();
extern constexpr ArchSpec kGemma3Multimodal = gemma3_multimodal();

}  // namespace llm::models::arch
