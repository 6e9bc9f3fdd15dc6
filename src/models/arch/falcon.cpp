// Falcon: layer norms, a plain feed-forward network with the exact GELU, usually beside attention;
// the 7B has one norm and one kv head, the 40B and 180B a norm for each half, the 11B one norm
// again. Almazrouei et al. 2023; Hugging Face FalconForCausalLM.
#include "core/error.h"
#include "models/arch/specs.h"
#include "models/config.h"
#include "models/gguf_export.h"
#include "models/gguf_keys.h"

namespace llm::models::arch {
namespace {

constexpr TensorNames names() {
  return {.embedding = "transformer.word_embeddings.weight",
          .attention_norm = "transformer.h.{}.input_layernorm.weight",
          .q = {},
          .k = {},
          .v = {},
          .o = "transformer.h.{}.self_attention.dense.weight",
          .qkv = "transformer.h.{}.self_attention.query_key_value.weight",
          .ffn_norm = {},
          .gate = {},
          .up = "transformer.h.{}.mlp.dense_h_to_4h.weight",
          .down = "transformer.h.{}.mlp.dense_4h_to_h.weight",
          .final_norm = "transformer.ln_f.weight",
          .lm_head = "lm_head.weight"};
}

Status read_form(const formats::HfConfig& keys, ModelConfig& config) {
  LLM_ASSIGN_OR_RETURN(const bool alibi, keys.get_bool("alibi", false));
  if (alibi) return core::unsupported("{}: alibi: true is not supported", keys.where());
  LLM_ASSIGN_OR_RETURN(const bool new_form, keys.get_bool("new_decoder_architecture", false));
  LLM_ASSIGN_OR_RETURN(const bool parallel, keys.get_bool("parallel_attn", true));
  LLM_ASSIGN_OR_RETURN(const bool multi_query, keys.get_bool("multi_query", true));
  LLM_ASSIGN_OR_RETURN(const std::int64_t norms,
                       keys.get_int("num_ln_in_parallel_attn", new_form ? 2 : 1));
  if (new_form) {
    LLM_ASSIGN_OR_RETURN(const std::int64_t kv_heads, keys.get_int("n_head_kv", config.n_heads));
    LLM_ASSIGN_OR_RETURN(config.n_kv_heads, keys.get_int("num_kv_heads", kv_heads));
  } else {
    config.n_kv_heads = multi_query ? 1 : config.n_heads;
  }
  LLM_ASSIGN_OR_RETURN(config.ffn_size, keys.get_int("ffn_hidden_size", 4 * config.hidden_size));
  if (!new_form && !parallel) {
    config.form = LayerForm::sequential;
    config.names.ffn_norm = "transformer.h.{}.post_attention_layernorm.weight";
  } else if (new_form && norms == 2) {
    config.names.attention_norm = "transformer.h.{}.ln_attn.weight";
    config.names.ffn_norm = "transformer.h.{}.ln_mlp.weight";
  }
  return {};
}

constexpr TensorNames gguf_names() {
  TensorNames names = kLlamaGgufNames;
  names.ffn_norm = {};
  return names;
}

// With two norms, attn_norm is the one of the feed-forward network.
constexpr std::string_view kSecondNorm = "blk.{}.attn_norm_2.weight";

void name_two_norms(TensorNames& names) {
  names.ffn_norm = names.attention_norm;
  names.attention_norm = kSecondNorm;
}

Status read_gguf_norms(const GgufKeys& keys, ModelConfig& config) {
  if (keys.has_tensor(kSecondNorm)) name_two_norms(config.names);
  return {};
}

void write_gguf(const ModelConfig& config, GgufExport& out) {
  out.set("tensor_data_layout", "jploski");  // all q rows, all k rows, all v rows
  if (config.form == LayerForm::parallel && !config.names.ffn_norm.empty()) {
    name_two_norms(out.names);
  }
}

}  // namespace

extern constexpr ArchSpec kFalcon{.family = "falcon",
                                  .model_type = "falcon",
                                  .hf_class = "FalconForCausalLM",
                                  .gguf_architecture = "falcon",
                                  .defaults = {.norm_eps = 1e-5, .tie_embeddings = true},
                                  .keys = {.old_n_layers = "n_layer",
                                           .old_n_heads = "n_head",
                                           .ffn_size = {},
                                           .norm_eps = "layer_norm_epsilon",
                                           .activation = "activation"},
                                  .hf_names = names(),
                                  .gguf_names = gguf_names(),
                                  .form = LayerForm::parallel,
                                  .norm = NormKind::layer,
                                  .ffn = FfnKind::plain,
                                  .activation = kernels::Activation::gelu,
                                  .qkv_bias = {"bias", false},
                                  .output_bias = {"bias", false},
                                  .mlp_bias = {"bias", false},
                                  .hf_qkv_order = QkvOrder::grouped,
                                  .own_quant_mix = true,
                                  .finish_hf = read_form,
                                  .finish_gguf = read_gguf_norms,
                                  .write_gguf = write_gguf};

}  // namespace llm::models::arch
