// DeepSeek-V2, V2-Lite, V3 and R1: latent attention, experts in groups beside shared ones behind a
// few dense layers. DeepSeek-AI 2024 (arXiv 2405.04434 and 2412.19437); Hugging Face
// DeepseekV2ForCausalLM and DeepseekV3ForCausalLM. In GGUF all are "deepseek2".
#include <cmath>

#include "core/error.h"
#include "core/quote.h"
#include "models/arch/specs.h"
#include "models/config.h"
#include "models/gguf_export.h"
#include "models/gguf_keys.h"

namespace llm::models::arch {
namespace {

constexpr TensorNames hf_names() {
  TensorNames names = kLlamaHfNames;
  names.q_a = "model.layers.{}.self_attn.q_a_proj.weight";
  names.q_a_norm = "model.layers.{}.self_attn.q_a_layernorm.weight";
  names.q_b = "model.layers.{}.self_attn.q_b_proj.weight";
  names.kv_a = "model.layers.{}.self_attn.kv_a_proj_with_mqa.weight";
  names.kv_a_norm = "model.layers.{}.self_attn.kv_a_layernorm.weight";
  names.kv_b = "model.layers.{}.self_attn.kv_b_proj.weight";
  names.router = "model.layers.{}.mlp.gate.weight";
  names.router_bias = "model.layers.{}.mlp.gate.e_score_correction_bias";
  names.expert_gate = "model.layers.{}.mlp.experts.{e}.gate_proj.weight";
  names.expert_up = "model.layers.{}.mlp.experts.{e}.up_proj.weight";
  names.expert_down = "model.layers.{}.mlp.experts.{e}.down_proj.weight";
  names.shared_gate = "model.layers.{}.mlp.shared_experts.gate_proj.weight";
  names.shared_up = "model.layers.{}.mlp.shared_experts.up_proj.weight";
  names.shared_down = "model.layers.{}.mlp.shared_experts.down_proj.weight";
  return names;
}

constexpr TensorNames gguf_names() {
  TensorNames names = kLlamaGgufNames;
  names.q_a = "blk.{}.attn_q_a.weight";
  names.q_a_norm = "blk.{}.attn_q_a_norm.weight";
  names.q_b = "blk.{}.attn_q_b.weight";
  names.kv_a = "blk.{}.attn_kv_a_mqa.weight";
  names.kv_a_norm = "blk.{}.attn_kv_a_norm.weight";
  names.kv_b = "blk.{}.attn_kv_b.weight";
  names.k_b = "blk.{}.attn_k_b.weight";
  names.v_b = "blk.{}.attn_v_b.weight";
  return names;
}

// YaRN leaves cosines and sines as they are here and scales the scores instead, by the square of
// its factor.
void set_scale(double mscale, ModelConfig& config) {
  const auto q_head = static_cast<double>(config.mla.nope_dim + config.mla.rope_dim);
  config.attention_scale = mscale * mscale / std::sqrt(q_head);
}

double yarn_mscale(double factor, double weight) {
  return factor <= 1.0 ? 1.0 : weight * std::log(factor) + 1.0;
}

Status read_attention(const formats::HfConfig& keys, ModelConfig& config) {
  MlaConfig& mla = config.mla;
  LLM_ASSIGN_OR_RETURN(mla.q_latent, keys.get_int("q_lora_rank", 1536));
  if (keys.is_null("q_lora_rank")) mla.q_latent = 0;
  LLM_ASSIGN_OR_RETURN(mla.kv_latent, keys.get_int("kv_lora_rank", 512));
  LLM_ASSIGN_OR_RETURN(mla.nope_dim, keys.get_int("qk_nope_head_dim", 128));
  LLM_ASSIGN_OR_RETURN(mla.rope_dim, keys.get_int("qk_rope_head_dim", 64));
  LLM_ASSIGN_OR_RETURN(mla.v_dim, keys.get_int("v_head_dim", 128));
  LLM_ASSIGN_OR_RETURN(const bool interleaved, keys.get_bool("rope_interleave", true));
  if (!interleaved) {
    return core::unsupported("{}: rope_interleave: false is not supported", keys.where());
  }
  if (mla.kv_latent < 1 || mla.nope_dim < 1 || mla.nope_dim > 1024 || mla.rope_dim < 2 ||
      mla.rope_dim > 1024) {
    return core::corrupt_data(
        "{}: kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim: expected at least 1, 1..=1024 and "
        "2..=1024, found {}, {} and {}",
        keys.where(), mla.kv_latent, mla.nope_dim, mla.rope_dim);
  }
  RopeConfig& rope = config.rope();
  config.head_dim = mla.nope_dim + mla.rope_dim;
  rope.rotary_dim = static_cast<int>(mla.rope_dim);
  const bool scaled = rope.scaling == RopeScaling::yarn && rope.mscale_all_dim != 0.0;
  set_scale(scaled ? yarn_mscale(rope.factor, 0.1 * rope.mscale_all_dim) : 1.0, config);
  return {};
}

Status read_routing(const formats::HfConfig& keys, std::string_view method, ModelConfig& config) {
  ExpertRouting& routing = config.moe.routing;
  LLM_ASSIGN_OR_RETURN(const std::string stated,
                       keys.get_string("topk_method", std::string(method)));
  if (stated != "greedy" && stated != "group_limited_greedy" && stated != "noaux_tc") {
    return core::unsupported("{}: topk_method {} is not supported", keys.where(),
                             core::quote(stated));
  }
  const bool v3 = stated == "noaux_tc";
  LLM_ASSIGN_OR_RETURN(const std::string score,
                       keys.get_string("scoring_func", v3 ? "sigmoid" : "softmax"));
  if (score != "softmax" && score != "sigmoid") {
    return core::unsupported("{}: scoring_func {} is not supported", keys.where(),
                             core::quote(score));
  }
  routing.score = score == "sigmoid" ? ExpertScore::sigmoid : ExpertScore::softmax;
  routing.group_score = v3 ? GroupScore::best_two : GroupScore::best;
  if (stated != "greedy") {
    LLM_ASSIGN_OR_RETURN(routing.groups, keys.get_int("n_group", v3 ? 8 : 1));
    LLM_ASSIGN_OR_RETURN(routing.groups_used, keys.get_int("topk_group", v3 ? 4 : 1));
  }
  LLM_ASSIGN_OR_RETURN(routing.normalize, keys.get_bool("norm_topk_prob", v3));
  LLM_ASSIGN_OR_RETURN(const double scale, keys.get_float("routed_scaling_factor", v3 ? 2.5 : 1.0));
  // V2 scales weights that are not normalised, V3 either.
  routing.scale = routing.normalize && !v3 ? 1.0F : static_cast<float>(scale);
  return {};
}

// What the configuration class assumes.
struct ExpertDefaults {
  std::int64_t n_experts, n_used, ffn_size, n_shared, dense_layers;
};

Status read_experts(const formats::HfConfig& keys, const ExpertDefaults& defaults,
                    ModelConfig& config) {
  MoeConfig& moe = config.moe;
  LLM_ASSIGN_OR_RETURN(moe.n_experts, keys.get_int("n_routed_experts", defaults.n_experts));
  LLM_ASSIGN_OR_RETURN(moe.n_used, keys.get_int("num_experts_per_tok", defaults.n_used));
  LLM_ASSIGN_OR_RETURN(moe.ffn_size, keys.get_int("moe_intermediate_size", defaults.ffn_size));
  LLM_ASSIGN_OR_RETURN(const std::int64_t shared,
                       keys.get_int("n_shared_experts", defaults.n_shared));
  LLM_ASSIGN_OR_RETURN(const std::int64_t dense,
                       keys.get_int("first_k_dense_replace", defaults.dense_layers));
  LLM_ASSIGN_OR_RETURN(const std::int64_t every, keys.get_int("moe_layer_freq", 1));
  constexpr std::int64_t kMaxWidth = 1 << 22;
  if (every < 1 || shared < 0 || shared > 1024 || moe.ffn_size > kMaxWidth) {
    return core::corrupt_data(
        "{}: moe_layer_freq, n_shared_experts, moe_intermediate_size: expected at least 1, "
        "0..=1024 "
        "and at most {}, found {}, {} and {}",
        keys.where(), kMaxWidth, every, shared, moe.ffn_size);
  }
  moe.shared_ffn_size = shared * moe.ffn_size;
  for (std::int64_t l = 0; l < config.n_layers; ++l) {
    config.layers[static_cast<std::size_t>(l)].moe = l >= dense && l % every == 0;
  }
  LLM_ASSIGN_OR_RETURN(config.extra_layers, keys.get_int("num_nextn_predict_layers", 0));
  if (config.extra_layers < 0 || config.extra_layers > 64) {
    return core::corrupt_data("{}: num_nextn_predict_layers: expected 0..=64, found {}",
                              keys.where(), config.extra_layers);
  }
  return {};
}

Status finish_v2(const formats::HfConfig& keys, ModelConfig& config) {
  LLM_RETURN_IF_ERROR(read_attention(keys, config));
  constexpr ExpertDefaults kDefaults{
      .n_experts = 64, .n_used = 8, .ffn_size = 1407, .n_shared = 2, .dense_layers = 0};
  LLM_RETURN_IF_ERROR(read_experts(keys, kDefaults, config));
  return read_routing(keys, "greedy", config);
}

Status finish_v3(const formats::HfConfig& keys, ModelConfig& config) {
  LLM_RETURN_IF_ERROR(read_attention(keys, config));
  constexpr ExpertDefaults kDefaults{
      .n_experts = 256, .n_used = 8, .ffn_size = 2048, .n_shared = 1, .dense_layers = 3};
  LLM_RETURN_IF_ERROR(read_experts(keys, kDefaults, config));
  return read_routing(keys, "noaux_tc", config);
}

Status finish_gguf(const GgufKeys& keys, ModelConfig& config) {
  MlaConfig& mla = config.mla;
  LLM_ASSIGN_OR_RETURN(mla.kv_latent, keys.require_int("attention.kv_lora_rank"));
  LLM_ASSIGN_OR_RETURN(mla.q_latent, keys.int_or("attention.q_lora_rank", 0));
  if (!keys.has_tensor(config.names.q_a)) mla.q_latent = 0;
  LLM_ASSIGN_OR_RETURN(const std::int64_t key, keys.require_int("attention.key_length"));
  LLM_ASSIGN_OR_RETURN(const std::int64_t value, keys.require_int("attention.value_length"));
  // Files for the compressed cache state its widths there, and those of the heads apart.
  LLM_ASSIGN_OR_RETURN(const std::int64_t q_head, keys.int_or("attention.key_length_mla", key));
  LLM_ASSIGN_OR_RETURN(mla.v_dim, keys.int_or("attention.value_length_mla", value));
  RopeConfig& rope = config.rope();
  mla.rope_dim = rope.rotary_dim;
  if (mla.kv_latent < 1 || q_head <= mla.rope_dim || q_head > 1024) {
    return core::corrupt_data("{}: {} and {}: expected at least 1 and {}..=1024, found {} and {}",
                              keys.where(), keys.full("attention.kv_lora_rank"),
                              keys.full("attention.key_length"), mla.rope_dim + 1, mla.kv_latent,
                              q_head);
  }
  mla.nope_dim = q_head - mla.rope_dim;
  config.head_dim = q_head;
  double mscale = 1.0;
  if (rope.scaling == RopeScaling::yarn) {
    LLM_ASSIGN_OR_RETURN(const double multiplier,
                         keys.float_or("rope.scaling.yarn_log_multiplier", 0.0));
    mscale = yarn_mscale(rope.factor, multiplier);
    rope.attention_factor = 1.0;
  }
  set_scale(mscale, config);

  ExpertRouting& routing = config.moe.routing;
  // The bias of the choice came with V3, and the sigmoid with it.
  LLM_ASSIGN_OR_RETURN(const std::int64_t gating, keys.int_or("expert_gating_func", 0));
  const std::int64_t last = config.n_layers - 1;
  if (gating == 0 && keys.has_tensor(config.names.router_bias, last)) {
    routing.score = ExpertScore::sigmoid;
  }
  const bool v3 = routing.score == ExpertScore::sigmoid;
  routing.group_score = v3 ? GroupScore::best_two : GroupScore::best;
  // V3 files older than the keys for groups do not tell of them.
  LLM_ASSIGN_OR_RETURN(const std::int64_t stated, keys.int_or("expert_group_count", 0));
  if (v3 && stated == 0 && config.moe.n_experts == 256) {
    routing.groups = 8;
    routing.groups_used = 4;
  }
  return {};
}

void write_gguf(const ModelConfig& config, GgufExport& out) {
  const MlaConfig& mla = config.mla;
  const MoeConfig& moe = config.moe;
  // The cache holds the latent and the rotated key part, as if of one head.
  out.set("attention.head_count_kv", std::int64_t{1});
  out.set("attention.key_length", mla.kv_latent + mla.rope_dim);
  out.set("attention.value_length", mla.kv_latent);
  out.set("attention.key_length_mla", mla.nope_dim + mla.rope_dim);
  out.set("attention.value_length_mla", mla.v_dim);
  out.set("attention.kv_lora_rank", mla.kv_latent);
  if (mla.q_latent > 0) out.set("attention.q_lora_rank", mla.q_latent);
  out.set("expert_group_count", moe.routing.groups);
  out.set("expert_group_used_count", moe.routing.groups_used);
  out.set("expert_weights_scale", static_cast<double>(moe.routing.scale));
  if (moe.ffn_size > 0) out.set("expert_shared_count", moe.shared_ffn_size / moe.ffn_size);
  const RopeConfig& rope = config.rope();
  if (rope.scaling == RopeScaling::yarn) {
    out.set("rope.scaling.yarn_log_multiplier", 0.1 * rope.mscale_all_dim);
  }
}

constexpr ArchSpec deepseek(std::string_view name, std::string_view hf_class) {
  return {.family = name,
          .model_type = name,
          .hf_class = hf_class,
          .gguf_architecture = {},
          .gguf_alias = "deepseek2",
          .hf_names = hf_names(),
          .gguf_names = gguf_names(),
          .mlp_bias = {},
          .latent_attention = true,
          .write_gguf = write_gguf};
}

constexpr ArchSpec v2() {
  ArchSpec spec = deepseek("deepseek_v2", "DeepseekV2ForCausalLM");
  spec.gguf_architecture = "deepseek2";
  spec.gguf_alias = {};
  spec.finish_hf = finish_v2;
  spec.finish_gguf = finish_gguf;
  return spec;
}

constexpr ArchSpec v3() {
  ArchSpec spec = deepseek("deepseek_v3", "DeepseekV3ForCausalLM");
  spec.defaults.n_kv_heads = 128;
  spec.defaults.max_positions = 4096;
  spec.finish_hf = finish_v3;
  return spec;
}

}  // namespace

extern constexpr ArchSpec kDeepseekV2 = v2();
extern constexpr ArchSpec kDeepseekV3 = v3();

}  // namespace llm::models::arch
