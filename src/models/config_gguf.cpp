// GGUF metadata -> ModelConfig. Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#include <algorithm>
#include <string>

#include "core/error.h"
#include "models/config.h"
#include "models/gguf_keys.h"
#include "models/rope_gguf.h"

namespace llm::models {
namespace {

Status read_experts(const GgufKeys& keys, ModelConfig& config) {
  constexpr std::int64_t kNotStated = 0;
  constexpr std::int64_t kSoftmax = 1;
  constexpr std::int64_t kSigmoid = 2;
  MoeConfig& moe = config.moe;
  LLM_ASSIGN_OR_RETURN(moe.n_experts, keys.int_or("expert_count", 0));
  if (moe.n_experts == 0) return {};
  LLM_ASSIGN_OR_RETURN(moe.n_used, keys.require_layer_int("expert_used_count", config.n_layers));
  LLM_ASSIGN_OR_RETURN(moe.ffn_size, keys.layer_int_or("expert_feed_forward_length",
                                                       config.n_layers, config.ffn_size));
  LLM_ASSIGN_OR_RETURN(const std::int64_t shared, keys.int_or("expert_shared_count", 0));
  LLM_ASSIGN_OR_RETURN(moe.shared_ffn_size, keys.int_or("expert_shared_feed_forward_length", 0));
  if (moe.shared_ffn_size == 0 && shared > 0 && shared <= 1024 && moe.ffn_size <= 1 << 22) {
    moe.shared_ffn_size = shared * moe.ffn_size;
  }
  LLM_ASSIGN_OR_RETURN(std::int64_t score, keys.int_or("expert_gating_func", kNotStated));
  if (score == kNotStated) score = kSoftmax;
  if (score != kSoftmax && score != kSigmoid) {
    return core::unsupported("{}: {}: gating function {} is not supported", keys.where(),
                             keys.full("expert_gating_func"), score);
  }
  moe.routing.score = score == kSoftmax ? ExpertScore::softmax : ExpertScore::sigmoid;
  LLM_ASSIGN_OR_RETURN(moe.routing.normalize,
                       keys.bool_or("expert_weights_norm", config.spec->gguf_normalizes_experts));
  LLM_ASSIGN_OR_RETURN(moe.routing.groups, keys.int_or("expert_group_count", 1));
  moe.routing.groups = std::max<std::int64_t>(moe.routing.groups, 1);  // 0: none
  if (moe.routing.groups > 1) {
    LLM_ASSIGN_OR_RETURN(moe.routing.groups_used, keys.require_int("expert_group_used_count"));
  }
  LLM_ASSIGN_OR_RETURN(const double scale, keys.float_or("expert_weights_scale", 1.0));
  moe.routing.scale = scale == 0.0 ? 1.0F : static_cast<float>(scale);  // 0: how writers say "none"
  for (std::int64_t l = 0; l < config.n_layers; ++l) {
    config.layers[static_cast<std::size_t>(l)].moe = keys.has_tensor(config.names.router, l);
  }
  return {};
}

}  // namespace

Result<ModelConfig> config_from_gguf(const formats::ModelFile& file) {
  const std::string where = file.path().string();
  const auto architecture = file.gguf().get_string("general.architecture");
  if (!architecture) return architecture.error().with_prefix(where);
  if (!*architecture)
    return core::corrupt_data("{}: metadata key general.architecture is missing", where);
  ModelConfig config;
  config.ropes.resize(1);
  config.spec = find_spec_by_gguf_architecture(**architecture);
  if (config.spec == nullptr) {
    return core::unsupported("{}: general.architecture \"{}\" is not supported", where,
                             **architecture);
  }
  const GgufKeys keys(file, **architecture);
  config.names = config.spec->gguf_names;
  config.form = config.spec->form;
  config.activation = config.spec->activation;
  LLM_ASSIGN_OR_RETURN(config.hidden_size, keys.require_int("embedding_length"));
  LLM_ASSIGN_OR_RETURN(config.n_layers, keys.require_int("block_count"));
  LLM_ASSIGN_OR_RETURN(config.ffn_size,
                       keys.require_layer_int("feed_forward_length", config.n_layers));
  LLM_ASSIGN_OR_RETURN(config.n_heads,
                       keys.require_layer_int("attention.head_count", config.n_layers));
  LLM_ASSIGN_OR_RETURN(config.n_kv_heads, keys.layer_int_or("attention.head_count_kv",
                                                            config.n_layers, config.n_heads));
  LLM_ASSIGN_OR_RETURN(config.max_positions, keys.require_int("context_length"));
  const std::string_view eps_key = config.spec->norm == NormKind::rms
                                       ? "attention.layer_norm_rms_epsilon"
                                       : "attention.layer_norm_epsilon";
  LLM_ASSIGN_OR_RETURN(const double eps, keys.float_or(eps_key, config.spec->defaults.norm_eps));
  config.norm_eps = static_cast<float>(eps);
  LLM_RETURN_IF_ERROR(validate_width(config, where));
  LLM_ASSIGN_OR_RETURN(config.head_dim,
                       keys.int_or("attention.key_length", config.hidden_size / config.n_heads));
  LLM_ASSIGN_OR_RETURN(const std::int64_t value_length,
                       keys.int_or("attention.value_length", config.head_dim));
  if (value_length != config.head_dim && !config.spec->latent_attention) {
    return core::unsupported("{}: {}: expected the key length {}, found {}", where,
                             keys.full("attention.value_length"), config.head_dim, value_length);
  }
  LLM_ASSIGN_OR_RETURN(config.attention_scale, keys.float_or("attention.scale", 0.0));
  LLM_ASSIGN_OR_RETURN(const std::int64_t window, keys.int_or("attention.sliding_window", 0));
  LLM_RETURN_IF_ERROR(set_layers(config, window, where));

  const formats::TensorEntry* embedding = file.find(config.names.embedding);
  if (embedding == nullptr || embedding->view.shape.rank() != 2) {
    return core::corrupt_data("{}: tensor {} is missing or not a matrix", where,
                              config.names.embedding);
  }
  config.vocab_size = embedding->view.shape[0];
  LLM_ASSIGN_OR_RETURN(const std::int64_t stated_vocab,
                       keys.int_or("vocab_size", config.vocab_size));
  if (stated_vocab != config.vocab_size) {
    return core::corrupt_data("{}: {}: expected {} (rows of {}), found {}", where,
                              keys.full("vocab_size"), config.vocab_size, config.names.embedding,
                              stated_vocab);
  }
  config.tie_embeddings = file.find(config.names.lm_head) == nullptr;
  if (config.head_dim < 2 || config.head_dim > 1024) {
    return core::corrupt_data("{}: head dimension: expected 2..=1024, found {}", where,
                              config.head_dim);
  }
  LLM_RETURN_IF_ERROR(read_experts(keys, config));
  config.head_norms = keys.has_tensor(config.names.q_norm);
  LLM_RETURN_IF_ERROR(read_gguf_rope(keys, config));
  if (config.spec->finish_gguf != nullptr) {
    LLM_RETURN_IF_ERROR(config.spec->finish_gguf(keys, config));
  }
  return config;
}

}  // namespace llm::models
