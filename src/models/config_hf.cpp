// config.json -> ModelConfig. A key that is absent takes the default of the architecture's Hugging
// Face configuration class; a null switches the feature off.
#include <algorithm>
#include <string>

#include "core/error.h"
#include "core/quote.h"
#include "formats/hf_config.h"
#include "models/config.h"
#include "models/rope_hf.h"

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

// A size whose absence means the class default, or is an error where the class has none.
Result<std::int64_t> read_size(const HfConfig& keys, std::string_view key, std::int64_t fallback,
                               std::string_view old_key = {}) {
  if (!old_key.empty() && !keys.has_value(key) && keys.has_value(old_key)) key = old_key;
  return fallback > 0 ? keys.get_int(key, fallback) : keys.require_int(key);
}

Status read_sizes(const HfConfig& keys, ModelConfig& config) {
  const ConfigDefaults& defaults = config.spec->defaults;
  const ConfigKeys& names = config.spec->keys;
  LLM_ASSIGN_OR_RETURN(config.vocab_size, read_size(keys, "vocab_size", defaults.vocab_size));
  LLM_ASSIGN_OR_RETURN(config.hidden_size, read_size(keys, "hidden_size", defaults.hidden_size));
  if (!names.ffn_size.empty()) {
    LLM_ASSIGN_OR_RETURN(config.ffn_size, read_size(keys, names.ffn_size, defaults.ffn_size));
  }
  LLM_ASSIGN_OR_RETURN(config.n_layers,
                       read_size(keys, names.n_layers, defaults.n_layers, names.old_n_layers));
  LLM_ASSIGN_OR_RETURN(config.n_heads,
                       read_size(keys, names.n_heads, defaults.n_heads, names.old_n_heads));
  LLM_ASSIGN_OR_RETURN(config.max_positions,
                       keys.get_int("max_position_embeddings", defaults.max_positions));
  LLM_RETURN_IF_ERROR(validate_width(config, keys.where()));
  // A null means "one per attention head", also where the class default is another number.
  const std::int64_t absent_kv = defaults.n_kv_heads > 0 ? defaults.n_kv_heads : config.n_heads;
  LLM_ASSIGN_OR_RETURN(config.n_kv_heads, keys.get_int("num_key_value_heads", absent_kv));
  if (keys.is_null("num_key_value_heads")) config.n_kv_heads = config.n_heads;
  const std::int64_t absent_dim =
      defaults.head_dim > 0 ? defaults.head_dim : config.hidden_size / config.n_heads;
  LLM_ASSIGN_OR_RETURN(config.head_dim, keys.get_int("head_dim", absent_dim));
  if (config.head_dim < 2 || config.head_dim > 1024) {
    return core::corrupt_data("{}: head_dim: expected 2..=1024, found {}", keys.where(),
                              config.head_dim);
  }
  return {};
}

Status read_activation(const HfConfig& keys, ModelConfig& config) {
  struct Name {
    std::string_view name;
    kernels::Activation activation;
  };
  using kernels::Activation;
  constexpr Name kNames[] = {
      {"silu", Activation::silu},           {"swish", Activation::silu},
      {"gelu", Activation::gelu},           {"gelu_new", Activation::gelu_tanh},
      {"gelu_fast", Activation::gelu_tanh}, {"gelu_pytorch_tanh", Activation::gelu_tanh}};
  config.activation = config.spec->activation;
  const std::string_view key = config.spec->keys.activation;
  if (key.empty() || !keys.has_value(key)) return {};
  LLM_ASSIGN_OR_RETURN(const std::string stated, keys.get_string(key, ""));
  const auto* found = std::find_if(std::begin(kNames), std::end(kNames),
                                   [&](const Name& known) { return known.name == stated; });
  if (found == std::end(kNames)) {
    return core::unsupported("{}: {} {} is not supported", keys.where(), key, core::quote(stated));
  }
  config.activation = found->activation;
  return {};
}

Result<bool> read_switch(const HfConfig& keys, const Switch& field) {
  if (field.key.empty()) return field.fallback;
  return keys.get_bool(field.key, field.fallback);
}

Status read_switches(const HfConfig& keys, ModelConfig& config) {
  const ArchSpec& spec = *config.spec;
  LLM_ASSIGN_OR_RETURN(config.qkv_bias, read_switch(keys, spec.qkv_bias));
  LLM_ASSIGN_OR_RETURN(config.output_bias, read_switch(keys, spec.output_bias));
  LLM_ASSIGN_OR_RETURN(config.mlp_bias, read_switch(keys, spec.mlp_bias));
  LLM_ASSIGN_OR_RETURN(config.head_bias, read_switch(keys, spec.head_bias));
  LLM_ASSIGN_OR_RETURN(config.head_norms, read_switch(keys, spec.head_norms));
  return {};
}

Result<std::int64_t> read_window(const HfConfig& keys, const ArchSpec& spec) {
  const std::string_view key = spec.keys.sliding_window;
  if (key.empty() || keys.is_null(key)) return std::int64_t{0};
  return keys.get_int(key, spec.defaults.sliding_window);
}

// Of the ways to store quantised weights in safetensors, 8-bit floats with a factor per block.
Status read_quantization(const HfConfig& keys, ModelConfig& config) {
  if (!keys.has_value("quantization_config")) return {};
  constexpr std::int64_t kMaxBlock = 65536;
  LLM_ASSIGN_OR_RETURN(const HfConfig stored, keys.get_object("quantization_config"));
  LLM_ASSIGN_OR_RETURN(const std::string method, stored.get_string("quant_method", ""));
  LLM_ASSIGN_OR_RETURN(const std::string kind, stored.get_string("fmt", "e4m3"));
  if (method != "fp8" || kind != "e4m3") {
    return core::unsupported("{}: quant_method {} with fmt {} is not supported", stored.where(),
                             core::quote(method), core::quote(kind));
  }
  const auto block = stored.json().find("weight_block_size");
  const bool pair = block != stored.json().end() && block->is_array() && block->size() == 2 &&
                    (*block)[0].is_number_integer() && (*block)[1].is_number_integer();
  if (!pair) {
    return core::unsupported("{}: weight_block_size: expected two integers", stored.where());
  }
  config.scale_block = {(*block)[0].get<std::int64_t>(), (*block)[1].get<std::int64_t>()};
  for (const std::int64_t size : {config.scale_block.rows, config.scale_block.cols}) {
    if (size < 1 || size > kMaxBlock) {
      return core::corrupt_data("{}: weight_block_size: expected 1..={}, found {}", stored.where(),
                                kMaxBlock, size);
    }
  }
  return {};
}

}  // namespace

Result<ModelConfig> config_from_hf(const formats::ModelFile& file) {
  HfConfig keys(file.config(), (file.directory() / "config.json").string());
  ModelConfig config;
  config.ropes.resize(1);
  LLM_ASSIGN_OR_RETURN(config.spec, find_spec(keys));
  const ArchSpec& spec = *config.spec;
  LLM_RETURN_IF_ERROR(read_quantization(keys, config));
  if (!spec.nested_config.empty()) {
    LLM_ASSIGN_OR_RETURN(keys, keys.get_object(spec.nested_config));
  }
  config.form = spec.form;
  config.names = spec.hf_names;
  LLM_RETURN_IF_ERROR(read_sizes(keys, config));
  LLM_ASSIGN_OR_RETURN(const double eps,
                       keys.get_float(spec.keys.norm_eps, spec.defaults.norm_eps));
  config.norm_eps = static_cast<float>(eps);
  LLM_ASSIGN_OR_RETURN(config.tie_embeddings,
                       keys.get_bool("tie_word_embeddings", spec.defaults.tie_embeddings));
  LLM_RETURN_IF_ERROR(read_activation(keys, config));
  LLM_RETURN_IF_ERROR(read_switches(keys, config));
  LLM_ASSIGN_OR_RETURN(const std::int64_t window, read_window(keys, spec));
  LLM_RETURN_IF_ERROR(set_layers(config, window, keys.where()));
  LLM_RETURN_IF_ERROR(read_hf_rope(keys, config));
  if (spec.finish_hf != nullptr) LLM_RETURN_IF_ERROR(spec.finish_hf(keys, config));
  return config;
}

}  // namespace llm::models
