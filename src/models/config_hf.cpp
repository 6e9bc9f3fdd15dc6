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

Result<const ArchSpec*> find_spec(const HfConfig& keys) {
  LLM_ASSIGN_OR_RETURN(const std::string model_type, keys.get_string("model_type", ""));
  const ArchSpec* spec = find_spec_by_model_type(model_type);
  if (spec == nullptr) {
    return core::unsupported("{}: model_type {} is not supported", keys.where(),
                             core::quote(model_type));
  }
  const core::Json& json = keys.json();
  const auto classes = json.find("architectures");
  if (classes == json.end() || classes->is_null()) return spec;
  const bool listed = classes->is_array() &&
                      std::find(classes->begin(), classes->end(), spec->hf_class) != classes->end();
  if (!listed) {
    return core::unsupported("{}: architectures: expected {}, found {}", keys.where(),
                             spec->hf_class, core::printable(classes->dump()));
  }
  return spec;
}

Status read_yarn(const HfConfig& scaling, const HfConfig& keys, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  rope.scaling = RopeScaling::yarn;
  LLM_ASSIGN_OR_RETURN(rope.original_positions,
                       keys.get_int("original_max_position_embeddings", config.max_positions));
  LLM_ASSIGN_OR_RETURN(rope.original_positions, scaling.get_int("original_max_position_embeddings",
                                                                rope.original_positions));
  // `factor` counts; the ratio of the lengths stands in only where it is missing.
  const double ratio = static_cast<double>(config.max_positions) /
                       static_cast<double>(std::max<std::int64_t>(rope.original_positions, 1));
  LLM_ASSIGN_OR_RETURN(rope.factor, scaling.get_float("factor", ratio));
  LLM_ASSIGN_OR_RETURN(rope.beta_fast, scaling.get_float("beta_fast", 32.0));
  LLM_ASSIGN_OR_RETURN(rope.beta_slow, scaling.get_float("beta_slow", 1.0));
  LLM_ASSIGN_OR_RETURN(rope.truncate, scaling.get_bool("truncate", true));
  LLM_ASSIGN_OR_RETURN(rope.mscale, scaling.get_float("mscale", 0.0));
  LLM_ASSIGN_OR_RETURN(rope.mscale_all_dim, scaling.get_float("mscale_all_dim", 0.0));
  if (scaling.has_value("attention_factor")) {
    LLM_ASSIGN_OR_RETURN(const double factor, scaling.get_float("attention_factor", 1.0));
    rope.attention_factor = factor;
  }
  return {};
}

// Length after extension, for scalings that do not fold it into max_position_embeddings.
std::int64_t extended(std::int64_t original, double factor) {
  const double length = static_cast<double>(original) * factor;
  return length >= 1 && length < 0x1p31 ? static_cast<std::int64_t>(length) : original;
}

Status read_rope_scaling(const HfConfig& scaling, const HfConfig& keys, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  LLM_ASSIGN_OR_RETURN(std::string type, scaling.get_string("type", "default"));
  LLM_ASSIGN_OR_RETURN(type, scaling.get_string("rope_type", type));
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
    return core::unsupported("{}: rope type {} is not supported for {}", scaling.where(),
                             core::quote(type), config.spec->family);
  }
  return {};
}

Status read_rope(const HfConfig& keys, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  LLM_ASSIGN_OR_RETURN(rope.theta, keys.get_float("rope_theta", config.spec->defaults.rope_theta));
  LLM_ASSIGN_OR_RETURN(double share, keys.get_float("partial_rotary_factor", 1.0));
  // Newer files gather everything in rope_parameters, older ones have rope_scaling beside theta.
  const bool gathered = keys.has_value("rope_parameters");
  LLM_ASSIGN_OR_RETURN(const HfConfig scaling,
                       keys.get_object(gathered ? "rope_parameters" : "rope_scaling"));
  LLM_ASSIGN_OR_RETURN(rope.theta, scaling.get_float("rope_theta", rope.theta));
  LLM_ASSIGN_OR_RETURN(share, scaling.get_float("partial_rotary_factor", share));
  if (!(share > 0.0 && share <= 1.0)) {
    return core::corrupt_data("{}: partial_rotary_factor: expected a number in (0, 1], found {}",
                              keys.where(), share);
  }
  rope.rotary_dim = static_cast<int>(static_cast<double>(config.head_dim) * share);
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
                       keys.get_int("max_position_embeddings", defaults.max_positions));
  if (config.n_heads < 1) {
    return core::corrupt_data("{}: num_attention_heads: expected at least 1, found {}",
                              keys.where(), config.n_heads);
  }
  // A null means "one per attention head", also where the class default is another number.
  const std::int64_t absent_kv = defaults.n_kv_heads > 0 ? defaults.n_kv_heads : config.n_heads;
  LLM_ASSIGN_OR_RETURN(config.n_kv_heads, keys.get_int("num_key_value_heads", absent_kv));
  if (keys.is_null("num_key_value_heads")) config.n_kv_heads = config.n_heads;
  LLM_ASSIGN_OR_RETURN(config.head_dim,
                       keys.get_int("head_dim", config.hidden_size / config.n_heads));
  if (config.head_dim < 2 || config.head_dim > 1024) {
    return core::corrupt_data("{}: head_dim: expected 2..=1024, found {}", keys.where(),
                              config.head_dim);
  }
  return {};
}

}  // namespace

Result<ModelConfig> config_from_hf(const formats::ModelFile& file) {
  const HfConfig keys(file.config(), (file.directory() / "config.json").string());
  ModelConfig config;
  LLM_ASSIGN_OR_RETURN(config.spec, find_spec(keys));
  const ArchSpec& spec = *config.spec;
  if (keys.has_value("quantization_config")) {
    return core::unsupported(
        "{}: quantization_config: weights quantised this way are not supported", keys.where());
  }
  LLM_RETURN_IF_ERROR(read_sizes(keys, config));
  LLM_ASSIGN_OR_RETURN(const double eps, keys.get_float("rms_norm_eps", spec.defaults.norm_eps));
  config.norm_eps = static_cast<float>(eps);
  LLM_ASSIGN_OR_RETURN(config.tie_embeddings,
                       keys.get_bool("tie_word_embeddings", spec.defaults.tie_embeddings));
  if (spec.optional_attention_bias) {
    LLM_ASSIGN_OR_RETURN(config.attention_bias, keys.get_bool("attention_bias", false));
  }
  if (spec.optional_mlp_bias) {
    LLM_ASSIGN_OR_RETURN(config.mlp_bias, keys.get_bool("mlp_bias", false));
  }
  if (!spec.sliding_window_key.empty() && !keys.is_null(spec.sliding_window_key)) {
    LLM_ASSIGN_OR_RETURN(config.sliding_window,
                         keys.get_int(spec.sliding_window_key, spec.defaults.sliding_window));
  }
  LLM_ASSIGN_OR_RETURN(const std::string activation, keys.get_string("hidden_act", "silu"));
  if (activation != "silu" && activation != "swish") {
    return core::unsupported("{}: hidden_act {} is not supported for {}", keys.where(),
                             core::quote(activation), spec.family);
  }
  LLM_RETURN_IF_ERROR(read_rope(keys, config));
  return config;
}

}  // namespace llm::models
