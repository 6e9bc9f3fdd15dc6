// ArchSpec: everything that distinguishes one architecture from Llama, as data. The decoder and the
// blocks know no architecture by name; a file in arch/ states one or more specs, and only their
// differences, since every default here is Llama's.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace llm::models {

/// Names of the tensors in one file format; "{}" stands for the layer index. Biases carry the same
/// name with ".bias" in place of ".weight".
struct TensorNames {
  std::string_view embedding;
  std::string_view attention_norm;
  std::string_view q, k, v, o;
  std::string_view ffn_norm;
  std::string_view gate, up, down;
  std::string_view final_norm;
  std::string_view lm_head;
};

inline constexpr TensorNames kLlamaHfNames{
    .embedding = "model.embed_tokens.weight",
    .attention_norm = "model.layers.{}.input_layernorm.weight",
    .q = "model.layers.{}.self_attn.q_proj.weight",
    .k = "model.layers.{}.self_attn.k_proj.weight",
    .v = "model.layers.{}.self_attn.v_proj.weight",
    .o = "model.layers.{}.self_attn.o_proj.weight",
    .ffn_norm = "model.layers.{}.post_attention_layernorm.weight",
    .gate = "model.layers.{}.mlp.gate_proj.weight",
    .up = "model.layers.{}.mlp.up_proj.weight",
    .down = "model.layers.{}.mlp.down_proj.weight",
    .final_norm = "model.norm.weight",
    .lm_head = "lm_head.weight"};

inline constexpr TensorNames kLlamaGgufNames{.embedding = "token_embd.weight",
                                             .attention_norm = "blk.{}.attn_norm.weight",
                                             .q = "blk.{}.attn_q.weight",
                                             .k = "blk.{}.attn_k.weight",
                                             .v = "blk.{}.attn_v.weight",
                                             .o = "blk.{}.attn_output.weight",
                                             .ffn_norm = "blk.{}.ffn_norm.weight",
                                             .gate = "blk.{}.ffn_gate.weight",
                                             .up = "blk.{}.ffn_up.weight",
                                             .down = "blk.{}.ffn_down.weight",
                                             .final_norm = "output_norm.weight",
                                             .lm_head = "output.weight"};

/// Values that a Hugging Face configuration class assumes where config.json lacks the key.
struct ConfigDefaults {
  std::int64_t n_kv_heads = 0;  ///< 0: as many as attention heads
  std::int64_t max_positions = 2048;
  std::int64_t sliding_window = 0;  ///< 0: none
  double rope_theta = 10000.0;
  double norm_eps = 1e-6;
  bool tie_embeddings = false;
};

struct ArchSpec {
  std::string_view family;      ///< what capabilities report, e.g. "llama"
  std::string_view model_type;  ///< `model_type` in config.json
  std::string_view hf_class;    ///< `architectures[0]` in config.json
  /// `general.architecture` in GGUF; empty when GGUF files of it carry another spec's name.
  std::string_view gguf_architecture;
  ConfigDefaults defaults = {};
  TensorNames hf_names = kLlamaHfNames;
  TensorNames gguf_names = kLlamaGgufNames;
  /// config.json key with a sliding window applied on every layer; empty: the key is not read.
  std::string_view sliding_window_key = {};
  bool optional_attention_bias = true;  ///< `attention_bias`: biases on q, k, v and o
  bool optional_mlp_bias = true;        ///< `mlp_bias`: biases on gate, up and down
  /// GGUF stores q and k rows for interleaved rotary pairs (2i, 2i+1) instead of halves.
  bool gguf_interleaved_rope = true;
};

/// Every architecture of this build.
std::span<const ArchSpec* const> all_specs();
/// Null when unknown.
const ArchSpec* find_spec_by_model_type(std::string_view model_type);
const ArchSpec* find_spec_by_gguf_architecture(std::string_view architecture);

}  // namespace llm::models
