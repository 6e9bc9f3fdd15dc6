// config.json -> RopeConfig.
#include "models/rope_hf.h"

#include <algorithm>

#include "core/error.h"
#include "core/quote.h"

namespace llm::models {
namespace {

using formats::HfConfig;

Status read_yarn(const HfConfig& scaling, const HfConfig& keys, ModelConfig& config) {
  RopeConfig& rope = config.rope();
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

// A divisor per pair, one set for lengths up to the original and one for those beyond.
Status read_longrope(const HfConfig& scaling, const HfConfig& keys, ModelConfig& config) {
  constexpr std::int64_t kClassDefault = 4096;
  RopeConfig& rope = config.rope();
  rope.scaling = RopeScaling::longrope;
  const auto pairs = static_cast<std::size_t>(rope.rotary_dim / 2);
  LLM_ASSIGN_OR_RETURN(rope.divisors, scaling.require_floats("short_factor", pairs));
  LLM_ASSIGN_OR_RETURN(rope.long_divisors, scaling.require_floats("long_factor", pairs));
  LLM_ASSIGN_OR_RETURN(rope.original_positions,
                       scaling.get_int("original_max_position_embeddings", kClassDefault));
  LLM_ASSIGN_OR_RETURN(rope.original_positions,
                       keys.get_int("original_max_position_embeddings", rope.original_positions));
  rope.factor = static_cast<double>(config.max_positions) /
                static_cast<double>(std::max<std::int64_t>(rope.original_positions, 1));
  if (scaling.has_value("attention_factor")) {
    LLM_ASSIGN_OR_RETURN(const double factor, scaling.get_float("attention_factor", 1.0));
    rope.attention_factor = factor;
  }
  return {};
}

Status read_rope_scaling(const HfConfig& scaling, const HfConfig& keys, ModelConfig& config) {
  RopeConfig& rope = config.rope();
  LLM_ASSIGN_OR_RETURN(std::string type, scaling.get_string("type", "default"));
  LLM_ASSIGN_OR_RETURN(type, scaling.get_string("rope_type", type));
  if (type == "default") return {};
  // Early files call it "su" or, with the same two lists, "yarn".
  if (type == "longrope" || type == "su" || scaling.has_value("short_factor")) {
    return read_longrope(scaling, keys, config);
  }
  if (type == "yarn") {
    LLM_RETURN_IF_ERROR(read_yarn(scaling, keys, config));
    config.max_positions =
        std::max(config.max_positions, extended_positions(rope.original_positions, rope.factor));
    return {};
  }
  LLM_ASSIGN_OR_RETURN(rope.factor, scaling.require_float("factor"));
  if (type == "linear") {
    rope.scaling = RopeScaling::linear;
  } else if (type == "dynamic") {
    rope.scaling = RopeScaling::dynamic_ntk;
    rope.original_positions = config.max_positions;
    config.max_positions =
        std::max(config.max_positions, extended_positions(config.max_positions, rope.factor));
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

}  // namespace

Status read_hf_rope(const HfConfig& keys, ModelConfig& config) {
  const ConfigDefaults& defaults = config.spec->defaults;
  RopeConfig& rope = config.rope();
  LLM_ASSIGN_OR_RETURN(rope.theta, keys.get_float("rope_theta", defaults.rope_theta));
  LLM_ASSIGN_OR_RETURN(double share,
                       keys.get_float("partial_rotary_factor", defaults.partial_rotary));
  // Newer files gather everything in rope_parameters, older ones have rope_scaling beside theta.
  const bool gathered = keys.has_value("rope_parameters");
  LLM_ASSIGN_OR_RETURN(HfConfig scaling,
                       keys.get_object(gathered ? "rope_parameters" : "rope_scaling"));
  if (gathered && scaling.has_value("full_attention")) {
    LLM_ASSIGN_OR_RETURN(scaling, scaling.get_object("full_attention"));
  }
  LLM_ASSIGN_OR_RETURN(rope.theta, scaling.get_float("rope_theta", rope.theta));
  LLM_ASSIGN_OR_RETURN(share, scaling.get_float("partial_rotary_factor", share));
  if (!(share > 0.0 && share <= 1.0)) {
    return core::corrupt_data("{}: partial_rotary_factor: expected a number in (0, 1], found {}",
                              keys.where(), share);
  }
  rope.rotary_dim = static_cast<int>(static_cast<double>(config.head_dim) * share);
  return read_rope_scaling(scaling, keys, config);
}

}  // namespace llm::models
