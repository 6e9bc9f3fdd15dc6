#include "models/gguf_export.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace llm::models {
namespace {

constexpr const char* kOtherReaders = "llama.cpp";

void add_sizes(const ModelConfig& config, GgufExport& out) {
  const ArchSpec& spec = *config.spec;
  out.set("block_count", config.n_layers);
  out.set("context_length", config.max_positions);
  out.set("embedding_length", config.hidden_size);
  out.set("feed_forward_length", config.ffn_size);
  out.set("vocab_size", config.vocab_size);
  out.set("attention.head_count", config.n_heads);
  out.set(spec.norm == NormKind::rms ? "attention.layer_norm_rms_epsilon"
                                     : "attention.layer_norm_epsilon",
          static_cast<double>(config.norm_eps));
  if (!spec.latent_attention) {
    out.set("attention.head_count_kv", config.n_kv_heads);
    out.set("attention.key_length", config.head_dim);
    out.set("attention.value_length", config.head_dim);
  }
  if (config.attention_softcap > 0) out.set("attn_logit_softcapping", config.attention_softcap);
  if (config.final_softcap > 0) out.set("final_logit_softcapping", config.final_softcap);
}

void add_window(const ModelConfig& config, GgufExport& out) {
  std::int64_t window = 0;
  for (const LayerConfig& layer : config.layers) window = std::max(window, layer.window);
  if (window == 0) return;
  out.set("attention.sliding_window", window);
  if (!config.spec->gguf_window_is_common && window < config.max_positions) {
    out.warnings.push_back(fmt::format(
        "sliding window of {}: {} ignores it for this architecture and will differ past it", window,
        kOtherReaders));
  }
}

Status add_rope(const ModelConfig& config, GgufExport& out) {
  const RopeConfig& rope = config.rope();
  out.set("rope.dimension_count", std::int64_t{rope.rotary_dim});
  out.set("rope.freq_base", rope.theta);
  switch (rope.scaling) {
    case RopeScaling::none:
      return {};
    case RopeScaling::linear:
      out.set("rope.scaling.type", "linear");
      out.set("rope.scaling.factor", rope.factor);
      return {};
    case RopeScaling::llama3:
      out.vectors.emplace_back("rope_freqs.weight", llama3_divisors(rope));
      return {};
    case RopeScaling::longrope:
      out.vectors.emplace_back("rope_factors_long.weight", rope.long_divisors);
      out.vectors.emplace_back("rope_factors_short.weight", rope.divisors);
      out.set("rope.scaling.original_context_length", rope.original_positions);
      out.set("rope.scaling.attn_factor", static_cast<double>(Rope(rope).attention_factor()));
      return {};
    case RopeScaling::yarn:
      break;
    case RopeScaling::dynamic_ntk:
      return core::unsupported("rope scaling {}: GGUF has no place for it",
                               to_string(rope.scaling));
  }
  out.set("rope.scaling.type", "yarn");
  out.set("rope.scaling.factor", rope.factor);
  out.set("rope.scaling.original_context_length", rope.original_positions);
  out.set("rope.scaling.yarn_beta_fast", rope.beta_fast);
  out.set("rope.scaling.yarn_beta_slow", rope.beta_slow);
  if (const RopeConfig usual;
      rope.beta_fast != usual.beta_fast || rope.beta_slow != usual.beta_slow) {
    out.warnings.push_back(
        fmt::format("rope scaling yarn: {} ignores beta_fast {} and beta_slow {}", kOtherReaders,
                    rope.beta_fast, rope.beta_slow));
  }
  // GGUF's factor comes on top of YaRN's own.
  const double own = 0.1 * std::log(std::max(rope.factor, 1.0)) + 1.0;
  const double extra = static_cast<double>(Rope(rope).attention_factor()) / own;
  if (!config.spec->latent_attention && std::abs(extra - 1.0) > 1e-6) {
    out.set("rope.scaling.attn_factor", extra);
  }
  return {};
}

void add_experts(const ModelConfig& config, GgufExport& out) {
  const MoeConfig& moe = config.moe;
  if (moe.n_experts == 0) return;
  constexpr std::int64_t kSoftmax = 1;
  constexpr std::int64_t kSigmoid = 2;
  const ExpertRouting& routing = moe.routing;
  out.set("expert_count", moe.n_experts);
  out.set("expert_used_count", moe.n_used);
  out.set("expert_feed_forward_length", moe.ffn_size);
  if (moe.shared_ffn_size > 0) out.set("expert_shared_feed_forward_length", moe.shared_ffn_size);
  out.set("expert_gating_func", routing.score == ExpertScore::softmax ? kSoftmax : kSigmoid);
  if (routing.groups > 1) {
    out.set("expert_group_count", routing.groups);
    out.set("expert_group_used_count", routing.groups_used);
  }
  if (routing.scale != 1.0F) out.set("expert_weights_scale", static_cast<double>(routing.scale));
  if (routing.normalize != config.spec->gguf_normalizes_experts) {
    out.set("expert_weights_norm", routing.normalize);
    if (!config.spec->latent_attention) {
      out.warnings.push_back(fmt::format("norm_topk_prob {}: {} assumes {} for this architecture",
                                         routing.normalize, kOtherReaders,
                                         config.spec->gguf_normalizes_experts));
    }
  }
  // Leading layers without experts have a key; others do not.
  std::int64_t dense = 0;
  const auto has_experts = [&](std::int64_t l) {
    return config.layers[static_cast<std::size_t>(l)].moe;
  };
  while (dense < config.n_layers && !has_experts(dense)) ++dense;
  bool mixed = dense > 0 && !config.spec->latent_attention;
  if (config.spec->latent_attention) out.set("leading_dense_block_count", dense);
  for (std::int64_t l = dense; l < config.n_layers; ++l) mixed |= !has_experts(l);
  if (mixed) {
    out.warnings.push_back(fmt::format(
        "{} cannot load it: some layers have no experts, for which it expects none of this "
        "architecture",
        kOtherReaders));
  }
}

}  // namespace

Result<GgufExport> export_config(const ModelConfig& config) {
  const ArchSpec& spec = *config.spec;
  GgufExport out;
  out.architecture = spec.gguf_architecture.empty() ? spec.gguf_alias : spec.gguf_architecture;
  if (out.architecture.empty()) {
    return core::unsupported("architecture {}: GGUF has no name for it", spec.family);
  }
  out.names = spec.gguf_names;
  out.metadata.set("general.architecture", out.architecture);
  out.metadata.set("general.type", "model");
  add_sizes(config, out);
  add_window(config, out);
  LLM_RETURN_IF_ERROR(add_rope(config, out));
  add_experts(config, out);
  if (spec.write_gguf != nullptr) spec.write_gguf(config, out);
  return out;
}

}  // namespace llm::models
