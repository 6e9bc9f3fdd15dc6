// TensorNames: what the tensors of a model are called in one file format.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace llm::models {

/// "{}" stands for the layer index. Biases carry the same name with ".bias" in place of ".weight".
/// Empty: there is no such tensor. q, k, v and gate, up may be stored apart or fused: what the file
/// has counts.
struct TensorNames {
  std::string_view embedding;
  std::string_view attention_norm;
  std::string_view q, k, v, o;
  std::string_view qkv = {};                  ///< q, k and v in one
  std::string_view q_norm = {}, k_norm = {};  ///< norms of each head, before rotation
  /// Latent attention: q_a, q_a_norm, q_b make queries through a latent, q directly.
  std::string_view q_a = {}, q_a_norm = {}, q_b = {};
  std::string_view kv_a = {}, kv_a_norm = {};  ///< hidden_size -> latent | rotated key part
  std::string_view kv_b = {};                  ///< latent -> per head, unrotated key part | value
  std::string_view k_b = {}, v_b = {};  ///< the two halves of kv_b by themselves, k_b transposed
  std::string_view post_attention_norm = {};  ///< of attention's output
  std::string_view ffn_norm;
  std::string_view gate, up, down;
  std::string_view gate_up = {};        ///< gate and up in one
  std::string_view post_ffn_norm = {};  ///< of the feed-forward network's output
  std::string_view router_bias = {};    ///< added to the scores for choosing only
  std::string_view router = {};         ///< hidden_size -> experts
  /// Of one expert, "{e}" stands for its index, or of all of them in one tensor.
  std::string_view expert_gate = {}, expert_up = {}, expert_down = {};
  std::string_view experts_gate = {}, experts_up = {}, experts_down = {};
  std::string_view experts_gate_up = {};  ///< gate, then up, of each expert
  std::string_view shared_gate = {}, shared_up = {}, shared_down = {};  ///< of the shared expert
  std::string_view shared_router = {};                                  ///< hidden_size -> 1
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

/// GGUF has one name for one thing, whatever the architecture.
inline constexpr TensorNames kLlamaGgufNames{.embedding = "token_embd.weight",
                                             .attention_norm = "blk.{}.attn_norm.weight",
                                             .q = "blk.{}.attn_q.weight",
                                             .k = "blk.{}.attn_k.weight",
                                             .v = "blk.{}.attn_v.weight",
                                             .o = "blk.{}.attn_output.weight",
                                             .qkv = "blk.{}.attn_qkv.weight",
                                             .q_norm = "blk.{}.attn_q_norm.weight",
                                             .k_norm = "blk.{}.attn_k_norm.weight",
                                             .ffn_norm = "blk.{}.ffn_norm.weight",
                                             .gate = "blk.{}.ffn_gate.weight",
                                             .up = "blk.{}.ffn_up.weight",
                                             .down = "blk.{}.ffn_down.weight",
                                             .router_bias = "blk.{}.exp_probs_b.bias",
                                             .router = "blk.{}.ffn_gate_inp.weight",
                                             .expert_gate = "blk.{}.ffn_gate.{e}.weight",
                                             .expert_up = "blk.{}.ffn_up.{e}.weight",
                                             .expert_down = "blk.{}.ffn_down.{e}.weight",
                                             .experts_gate = "blk.{}.ffn_gate_exps.weight",
                                             .experts_up = "blk.{}.ffn_up_exps.weight",
                                             .experts_down = "blk.{}.ffn_down_exps.weight",
                                             .experts_gate_up = "blk.{}.ffn_gate_up_exps.weight",
                                             .shared_gate = "blk.{}.ffn_gate_shexp.weight",
                                             .shared_up = "blk.{}.ffn_up_shexp.weight",
                                             .shared_down = "blk.{}.ffn_down_shexp.weight",
                                             .shared_router = "blk.{}.ffn_gate_inp_shexp.weight",
                                             .final_norm = "output_norm.weight",
                                             .lm_head = "output.weight"};

/// The name with the layer's index in place of "{}".
std::string at_layer(std::string_view pattern, std::int64_t layer);
/// The name with that expert's index in place of "{e}", or that head's in place of "{h}".
std::string of_expert(std::string name, std::int64_t expert);
std::string of_head(std::string name, std::int64_t head);
/// Whether every head has a tensor of its own.
inline bool is_per_head(std::string_view pattern) {
  return pattern.find("{h}") != std::string_view::npos;
}

}  // namespace llm::models
