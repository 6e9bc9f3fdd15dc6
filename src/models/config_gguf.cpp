// GGUF metadata -> ModelConfig. Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "models/config.h"
#include "quant/quant.h"

namespace llm::models {
namespace {

// Reads "<architecture>.<key>" values; every error names the file.
class Keys {
 public:
  Keys(const formats::ModelFile& file, std::string architecture)
      : file_(file), architecture_(std::move(architecture)) {}

  Result<std::int64_t> require_int(std::string_view key) const {
    LLM_ASSIGN_OR_RETURN(const auto value, optional_int(key));
    if (!value) {
      return core::corrupt_data("{}: metadata key {} is missing", file_.path().string(), full(key));
    }
    return *value;
  }

  Result<std::int64_t> int_or(std::string_view key, std::int64_t fallback) const {
    LLM_ASSIGN_OR_RETURN(const auto value, optional_int(key));
    return value.value_or(fallback);
  }

  Result<double> float_or(std::string_view key, double fallback) const {
    auto value = file_.gguf().get_float(full(key));
    if (!value) return located(value.error());
    return value->value_or(fallback);
  }

  Result<std::optional<double>> optional_float(std::string_view key) const {
    auto value = file_.gguf().get_float(full(key));
    if (!value) return located(value.error());
    return *value;
  }

  Result<std::string> string_or(std::string_view key, std::string fallback) const {
    auto value = file_.gguf().get_string(full(key));
    if (!value) return located(value.error());
    return value->value_or(std::move(fallback));
  }

  std::string full(std::string_view key) const { return architecture_ + "." + std::string(key); }

 private:
  Status located(const Status& status) const { return status.with_prefix(file_.path().string()); }

  Result<std::optional<std::int64_t>> optional_int(std::string_view key) const {
    auto value = file_.gguf().get_int(full(key));
    if (!value) return located(value.error());
    return *value;
  }

  const formats::ModelFile& file_;
  std::string architecture_;
};

Status read_rope(const Keys& keys, const formats::ModelFile& file, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  LLM_ASSIGN_OR_RETURN(rope.theta, keys.float_or("rope.freq_base", 10000.0));
  LLM_ASSIGN_OR_RETURN(const std::int64_t rotary,
                       keys.int_or("rope.dimension_count", config.head_dim));
  if (rotary < 0 || rotary > config.head_dim) {
    return core::corrupt_data("{}: {}: expected at most the head dimension {}, found {}",
                              file.path().string(), keys.full("rope.dimension_count"),
                              config.head_dim, rotary);
  }
  rope.rotary_dim = static_cast<int>(rotary);

  LLM_ASSIGN_OR_RETURN(const std::string type, keys.string_or("rope.scaling.type", "linear"));
  LLM_ASSIGN_OR_RETURN(const double legacy_factor, keys.float_or("rope.scale_linear", 1.0));
  LLM_ASSIGN_OR_RETURN(rope.factor, keys.float_or("rope.scaling.factor", legacy_factor));
  if (rope.factor == 0.0) rope.factor = 1.0;  // how some writers say "none"
  LLM_ASSIGN_OR_RETURN(rope.original_positions,
                       keys.int_or("rope.scaling.original_context_length", config.max_positions));
  if (type == "none" || (type == "linear" && rope.factor == 1.0)) {
    rope.scaling = RopeScaling::none;
    rope.factor = 1.0;
  } else if (type == "linear") {
    rope.scaling = RopeScaling::linear;
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::yarn;
    LLM_ASSIGN_OR_RETURN(rope.beta_fast, keys.float_or("rope.scaling.yarn_beta_fast", 32.0));
    LLM_ASSIGN_OR_RETURN(rope.beta_slow, keys.float_or("rope.scaling.yarn_beta_slow", 1.0));
    // GGUF's factor comes on top of YaRN's own 0.1 ln(s) + 1.
    LLM_ASSIGN_OR_RETURN(const auto extra, keys.optional_float("rope.scaling.attn_factor"));
    if (extra) rope.attention_factor = *extra * (0.1 * std::log(std::max(rope.factor, 1.0)) + 1.0);
  } else {
    return core::unsupported("{}: {}: rope scaling type \"{}\" is not supported for {}",
                             file.path().string(), keys.full("rope.scaling.type"), type,
                             config.spec->family);
  }

  if (const formats::TensorEntry* divisors = file.find("rope_freqs.weight")) {
    const core::TensorView& view = divisors->view;
    const auto count = view.shape.elements();
    if (view.dtype != DType::f32 || !count || *count != rope.rotary_dim / 2) {
      return core::corrupt_data("{}: tensor rope_freqs.weight: expected f32 ({}), found {} {}",
                                file.path().string(), rope.rotary_dim / 2, to_string(view.dtype),
                                view.shape.to_string());
    }
    rope.divisors.resize(static_cast<std::size_t>(*count));
    quant::decode_row(view.dtype, view.data, rope.divisors.data(), *count);
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
  config.spec = find_spec_by_gguf_architecture(**architecture);
  if (config.spec == nullptr) {
    return core::unsupported("{}: general.architecture \"{}\" is not supported", where,
                             **architecture);
  }
  const Keys keys(file, **architecture);
  LLM_ASSIGN_OR_RETURN(config.hidden_size, keys.require_int("embedding_length"));
  LLM_ASSIGN_OR_RETURN(config.ffn_size, keys.require_int("feed_forward_length"));
  LLM_ASSIGN_OR_RETURN(config.n_layers, keys.require_int("block_count"));
  LLM_ASSIGN_OR_RETURN(config.n_heads, keys.require_int("attention.head_count"));
  LLM_ASSIGN_OR_RETURN(config.n_kv_heads, keys.int_or("attention.head_count_kv", config.n_heads));
  LLM_ASSIGN_OR_RETURN(config.max_positions, keys.require_int("context_length"));
  LLM_ASSIGN_OR_RETURN(const double eps, keys.float_or("attention.layer_norm_rms_epsilon",
                                                       config.spec->defaults.norm_eps));
  config.norm_eps = static_cast<float>(eps);
  LLM_ASSIGN_OR_RETURN(const std::int64_t experts, keys.int_or("expert_count", 0));
  if (experts != 0) {
    return core::unsupported("{}: {}: mixture of experts ({} experts) is not supported", where,
                             keys.full("expert_count"), experts);
  }
  if (config.n_heads < 1) {
    return core::corrupt_data("{}: {}: expected at least 1, found {}", where,
                              keys.full("attention.head_count"), config.n_heads);
  }
  LLM_ASSIGN_OR_RETURN(config.head_dim,
                       keys.int_or("attention.key_length", config.hidden_size / config.n_heads));
  LLM_ASSIGN_OR_RETURN(const std::int64_t value_length,
                       keys.int_or("attention.value_length", config.head_dim));
  if (value_length != config.head_dim) {
    return core::unsupported("{}: {}: expected the key length {}, found {}", where,
                             keys.full("attention.value_length"), config.head_dim, value_length);
  }
  LLM_ASSIGN_OR_RETURN(config.sliding_window, keys.int_or("attention.sliding_window", 0));

  const formats::TensorEntry* embedding = file.find(config.spec->gguf_names.embedding);
  if (embedding == nullptr || embedding->view.shape.rank() != 2) {
    return core::corrupt_data("{}: tensor {} is missing or not a matrix", where,
                              config.spec->gguf_names.embedding);
  }
  config.vocab_size = embedding->view.shape[0];
  LLM_ASSIGN_OR_RETURN(const std::int64_t stated_vocab,
                       keys.int_or("vocab_size", config.vocab_size));
  if (stated_vocab != config.vocab_size) {
    return core::corrupt_data("{}: {}: expected {} (rows of {}), found {}", where,
                              keys.full("vocab_size"), config.vocab_size,
                              config.spec->gguf_names.embedding, stated_vocab);
  }
  config.tie_embeddings = file.find(config.spec->gguf_names.lm_head) == nullptr;
  if (config.head_dim < 2 || config.head_dim > 1024) {
    return core::corrupt_data("{}: head dimension: expected 2..=1024, found {}", where,
                              config.head_dim);
  }
  LLM_RETURN_IF_ERROR(read_rope(keys, file, config));
  return config;
}

}  // namespace llm::models
