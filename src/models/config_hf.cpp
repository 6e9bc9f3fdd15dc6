// config.json -> ModelConfig. A key that is absent takes the default of the architecture's Hugging
// Face configuration class; a null switches the feature off.
#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/quote.h"
#include "formats/hf_config.h"
#include "models/config.h"

namespace llm::models {
namespace {

using formats::HfConfig;

// Values for keys where null means the same as absent.
Result<std::int64_t> int_or(const HfConfig& keys, std::string_view key, std::int64_t fallback) {
  LLM_ASSIGN_OR_RETURN(const auto setting, keys.get_int(key));
  return setting.value_or(fallback);
}
Result<double> float_or(const HfConfig& keys, std::string_view key, double fallback) {
  LLM_ASSIGN_OR_RETURN(const auto setting, keys.get_float(key));
  return setting.value_or(fallback);
}
Result<bool> bool_or(const HfConfig& keys, std::string_view key, bool fallback) {
  LLM_ASSIGN_OR_RETURN(const auto setting, keys.get_bool(key));
  return setting.value_or(fallback);
}
Result<std::string> string_or(const HfConfig& keys, std::string_view key, std::string fallback) {
  LLM_ASSIGN_OR_RETURN(const auto setting, keys.get_string(key));
  return setting.value_or(std::move(fallback));
}

Status unsupported(const HfConfig& keys, std::string_view key, std::string_view value) {
  return core::unsupported("{}",
                           keys.error(key, fmt::format("{} is not supported", value)).message());
}

Result<const ArchSpec*> find_spec(const HfConfig& keys) {
  LLM_ASSIGN_OR_RETURN(const std::string model_type, string_or(keys, "model_type", ""));
  const ArchSpec* spec = find_spec_by_model_type(model_type);
  if (spec == nullptr) {
    return unsupported(keys, "model_type", core::quote(model_type));
  }
  const core::Json& json = keys.json();
  const auto classes = json.find("architectures");
  if (classes == json.end() || classes->is_null()) return spec;
  const bool listed = classes->is_array() &&
                      std::find(classes->begin(), classes->end(), spec->hf_class) != classes->end();
  if (!listed) {
    return unsupported(keys, "architectures", core::printable(classes->dump(-1, ' ', true)));
  }
  return spec;
}

Status read_yarn(const HfConfig& scaling, const HfConfig& keys, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  rope.scaling = RopeScaling::yarn;
  LLM_ASSIGN_OR_RETURN(rope.original_positions,
                       int_or(keys, "original_max_position_embeddings", config.max_positions));
  LLM_ASSIGN_OR_RETURN(rope.original_positions, int_or(scaling, "original_max_position_embeddings",
                                                       rope.original_positions));
  // `factor` counts; the ratio of the lengths stands in only where it is missing.
  const double ratio = static_cast<double>(config.max_positions) /
                       static_cast<double>(std::max<std::int64_t>(rope.original_positions, 1));
  LLM_ASSIGN_OR_RETURN(rope.factor, float_or(scaling, "factor", ratio));
  LLM_ASSIGN_OR_RETURN(rope.beta_fast, float_or(scaling, "beta_fast", 32.0));
  LLM_ASSIGN_OR_RETURN(rope.beta_slow, float_or(scaling, "beta_slow", 1.0));
  LLM_ASSIGN_OR_RETURN(rope.truncate, bool_or(scaling, "truncate", true));
  LLM_ASSIGN_OR_RETURN(rope.mscale, float_or(scaling, "mscale", 0.0));
  LLM_ASSIGN_OR_RETURN(rope.mscale_all_dim, float_or(scaling, "mscale_all_dim", 0.0));
  LLM_ASSIGN_OR_RETURN(const auto factor, scaling.get_float("attention_factor"));
  rope.attention_factor = factor.or_default(std::nullopt);
  return {};
}

// Length after extension, for scalings that do not fold it into max_position_embeddings.
std::int64_t extended(std::int64_t original, double factor) {
  const double length = static_cast<double>(original) * factor;
  return length >= 1 && length < 0x1p31 ? static_cast<std::int64_t>(length) : original;
}

Status read_rope_scaling(const HfConfig& scaling, const HfConfig& keys, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  LLM_ASSIGN_OR_RETURN(std::string type, string_or(scaling, "type", "default"));
  LLM_ASSIGN_OR_RETURN(type, string_or(scaling, "rope_type", type));
  if (type == "default") return {};
  if (type == "yarn") {
    LLM_RETURN_IF_ERROR(read_yarn(scaling, keys, config));
    config.max_positions =
        std::max(config.max_positions, extended(rope.original_positions, rope.factor));
    return {};
  }
  LLM_ASSIGN_OR_RETURN(rope.factor, scaling.require_float("factor"));
  if (type == "linear") {
    rope.scaling = RopeScaling::linear;
  } else if (type == "dynamic") {
    rope.scaling = RopeScaling::dynamic_ntk;
    rope.original_positions = config.max_positions;
    config.max_positions =
        std::max(config.max_positions, extended(config.max_positions, rope.factor));
  } else if (type == "llama3") {
    rope.scaling = RopeScaling::llama3;
    LLM_ASSIGN_OR_RETURN(rope.low_freq_factor, scaling.require_float("low_freq_factor"));
    LLM_ASSIGN_OR_RETURN(rope.high_freq_factor, scaling.require_float("high_freq_factor"));
    LLM_ASSIGN_OR_RETURN(rope.original_positions,
                         scaling.require_int("original_max_position_embeddings"));
  } else {
    return unsupported(scaling, "rope_type", core::quote(type));
  }
  return {};
}

Status set_rotary_dim(const HfConfig& keys, double share, ModelConfig& config) {
  if (!(share > 0.0 && share <= 1.0)) {
    return keys.error("partial_rotary_factor",
                      fmt::format("expected a number in (0, 1], found {}", share));
  }
  config.rope.rotary_dim = static_cast<int>(static_cast<double>(config.head_dim) * share);
  return {};
}

Status read_rope(const HfConfig& keys, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  LLM_ASSIGN_OR_RETURN(rope.theta, float_or(keys, "rope_theta", config.spec->defaults.rope_theta));
  LLM_ASSIGN_OR_RETURN(double share, float_or(keys, "partial_rotary_factor", 1.0));
  // Newer files gather everything in rope_parameters, older ones have rope_scaling beside theta.
  LLM_ASSIGN_OR_RETURN(const auto gathered, keys.get_object("rope_parameters"));
  LLM_ASSIGN_OR_RETURN(const auto beside, keys.get_object("rope_scaling"));
  if (!gathered.has_value() && !beside.has_value()) {
    return set_rotary_dim(keys, share, config);
  }
  const HfConfig& scaling = gathered.has_value() ? *gathered : *beside;
  LLM_ASSIGN_OR_RETURN(rope.theta, float_or(scaling, "rope_theta", rope.theta));
  LLM_ASSIGN_OR_RETURN(share, float_or(scaling, "partial_rotary_factor", share));
  LLM_RETURN_IF_ERROR(set_rotary_dim(keys, share, config));
  return read_rope_scaling(scaling, keys, config);
}

Status read_sizes(const HfConfig& keys, ModelConfig& config) {
  const ConfigDefaults& defaults = config.spec->defaults;
  LLM_ASSIGN_OR_RETURN(config.vocab_size, keys.require_int("vocab_size"));
  LLM_ASSIGN_OR_RETURN(config.hidden_size, keys.require_int("hidden_size"));
  LLM_ASSIGN_OR_RETURN(config.ffn_size, keys.require_int("intermediate_size"));
  LLM_ASSIGN_OR_RETURN(config.n_layers, keys.require_int("num_hidden_layers"));
  LLM_ASSIGN_OR_RETURN(config.n_heads, keys.require_int("num_attention_heads"));
  LLM_ASSIGN_OR_RETURN(config.max_positions,
                       int_or(keys, "max_position_embeddings", defaults.max_positions));
  if (config.n_heads < 1) {
    return keys.error("num_attention_heads",
                      fmt::format("expected at least 1, found {}", config.n_heads));
  }
  // A null means "one per attention head", also where the class default is another number.
  const std::int64_t absent_kv = defaults.n_kv_heads > 0 ? defaults.n_kv_heads : config.n_heads;
  LLM_ASSIGN_OR_RETURN(const auto kv_heads, keys.get_int("num_key_value_heads"));
  config.n_kv_heads = kv_heads.or_default(absent_kv).value_or(config.n_heads);
  LLM_ASSIGN_OR_RETURN(config.head_dim,
                       int_or(keys, "head_dim", config.hidden_size / config.n_heads));
  if (config.head_dim < 2 || config.head_dim > 1024) {
    return keys.error("head_dim", fmt::format("expected 2..=1024, found {}", config.head_dim));
  }
  return {};
}

}  // namespace

Result<ModelConfig> config_from_hf(const formats::ModelFile& file) {
  const HfConfig keys(file.config(), (file.directory() / "config.json").string());
  ModelConfig config;
  LLM_ASSIGN_OR_RETURN(config.spec, find_spec(keys));
  const ArchSpec& spec = *config.spec;
  LLM_ASSIGN_OR_RETURN(const auto quantization, keys.get_object("quantization_config"));
  if (quantization.has_value()) {
    return unsupported(keys, "quantization_config", "weights quantised in this form: it");
  }
  LLM_RETURN_IF_ERROR(read_sizes(keys, config));
  LLM_ASSIGN_OR_RETURN(const double eps, float_or(keys, "rms_norm_eps", spec.defaults.norm_eps));
  config.norm_eps = static_cast<float>(eps);
  LLM_ASSIGN_OR_RETURN(config.tie_embeddings,
                       bool_or(keys, "tie_word_embeddings", spec.defaults.tie_embeddings));
  if (spec.optional_attention_bias) {
    LLM_ASSIGN_OR_RETURN(config.attention_bias, bool_or(keys, "attention_bias", false));
  }
  if (spec.optional_mlp_bias) {
    LLM_ASSIGN_OR_RETURN(config.mlp_bias, bool_or(keys, "mlp_bias", false));
  }
  if (!spec.sliding_window_key.empty()) {
    LLM_ASSIGN_OR_RETURN(const auto window, keys.get_int(spec.sliding_window_key));
    config.sliding_window = window.or_default(spec.defaults.sliding_window).value_or(0);
  }
  LLM_ASSIGN_OR_RETURN(const std::string activation, string_or(keys, "hidden_act", "silu"));
  if (activation != "silu" && activation != "swish") {
    return unsupported(keys, "hidden_act", core::quote(activation));
  }
  LLM_RETURN_IF_ERROR(read_rope(keys, config));
  return config;
}

}  // namespace llm::models
