// GGUF metadata -> RopeConfig.
#include "models/rope_gguf.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"

namespace llm::models {
namespace {

// Some files have the tensors alone and do not state the type.
Status read_longrope(const GgufKeys& keys, bool stated, ModelConfig& config) {
  RopeConfig& rope = config.rope();
  const std::int64_t pairs = rope.rotary_dim / 2;
  LLM_ASSIGN_OR_RETURN(auto short_divisors,
                       keys.vector_or_empty("rope_factors_short.weight", pairs));
  LLM_ASSIGN_OR_RETURN(auto long_divisors, keys.vector_or_empty("rope_factors_long.weight", pairs));
  if (short_divisors.empty() != long_divisors.empty()) {
    return core::corrupt_data(
        "{}: tensors rope_factors_short.weight and rope_factors_long.weight: expected both, found "
        "one",
        keys.where());
  }
  if (short_divisors.empty()) {
    if (!stated) return {};
    return core::corrupt_data(
        "{}: {}: longrope needs the tensors rope_factors_short.weight and "
        "rope_factors_long.weight, which are missing",
        keys.where(), keys.full("rope.scaling.type"));
  }
  rope.divisors = std::move(short_divisors);
  rope.long_divisors = std::move(long_divisors);
  rope.scaling = RopeScaling::longrope;
  LLM_ASSIGN_OR_RETURN(rope.attention_factor, keys.optional_float("rope.scaling.attn_factor"));
  rope.factor = static_cast<double>(config.max_positions) /
                static_cast<double>(std::max<std::int64_t>(rope.original_positions, 1));
  return {};
}

// yarn_attn_factor is the factor of cosines and sines itself, attn_factor comes on top of it, or of
// YaRN's own 0.1 ln(s) + 1.
Status read_yarn_factors(const GgufKeys& keys, ModelConfig& config) {
  RopeConfig& rope = config.rope();
  LLM_ASSIGN_OR_RETURN(const double extrapolation,
                       keys.float_or("rope.scaling.yarn_ext_factor", 1.0));
  if (extrapolation != 1.0 && !(extrapolation < 0.0)) {  // below zero: not set
    return core::unsupported("{}: {}: expected 1, found {}", keys.where(),
                             keys.full("rope.scaling.yarn_ext_factor"), extrapolation);
  }
  LLM_ASSIGN_OR_RETURN(rope.attention_factor, keys.optional_float("rope.scaling.yarn_attn_factor"));
  LLM_ASSIGN_OR_RETURN(const auto extra, keys.optional_float("rope.scaling.attn_factor"));
  if (extra) {
    const double own = 0.1 * std::log(std::max(rope.factor, 1.0)) + 1.0;
    rope.attention_factor = *extra * rope.attention_factor.value_or(own);
  }
  config.max_positions =
      std::max(config.max_positions, extended_positions(rope.original_positions, rope.factor));
  return {};
}

}  // namespace

Status read_gguf_rope(const GgufKeys& keys, ModelConfig& config) {
  RopeConfig& rope = config.rope();
  LLM_ASSIGN_OR_RETURN(rope.theta, keys.float_or("rope.freq_base", 10000.0));
  LLM_ASSIGN_OR_RETURN(const std::int64_t rotary,
                       keys.int_or("rope.dimension_count", config.head_dim));
  if (rotary < 0 || rotary > config.head_dim) {
    return core::corrupt_data("{}: {}: expected at most the head dimension {}, found {}",
                              keys.where(), keys.full("rope.dimension_count"), config.head_dim,
                              rotary);
  }
  rope.rotary_dim = static_cast<int>(rotary);

  LLM_ASSIGN_OR_RETURN(const std::string type, keys.string_or("rope.scaling.type", "linear"));
  LLM_ASSIGN_OR_RETURN(const double legacy_factor, keys.float_or("rope.scale_linear", 1.0));
  LLM_ASSIGN_OR_RETURN(rope.factor, keys.float_or("rope.scaling.factor", legacy_factor));
  if (rope.factor == 0.0) rope.factor = 1.0;  // how some writers say "none"
  LLM_ASSIGN_OR_RETURN(rope.original_positions,
                       keys.int_or("rope.scaling.original_context_length", config.max_positions));
  if (type == "none" || type == "longrope" || (type == "linear" && rope.factor == 1.0)) {
    rope.scaling = RopeScaling::none;
    rope.factor = 1.0;
  } else if (type == "linear") {
    rope.scaling = RopeScaling::linear;
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::yarn;
    LLM_ASSIGN_OR_RETURN(rope.beta_fast, keys.float_or("rope.scaling.yarn_beta_fast", 32.0));
    LLM_ASSIGN_OR_RETURN(rope.beta_slow, keys.float_or("rope.scaling.yarn_beta_slow", 1.0));
    LLM_RETURN_IF_ERROR(read_yarn_factors(keys, config));
  } else {
    return core::unsupported("{}: {}: rope scaling type \"{}\" is not supported for {}",
                             keys.where(), keys.full("rope.scaling.type"), type,
                             config.spec->family);
  }

  LLM_ASSIGN_OR_RETURN(rope.divisors,
                       keys.vector_or_empty("rope_freqs.weight", rope.rotary_dim / 2));
  return read_longrope(keys, type == "longrope", config);
}

}  // namespace llm::models
