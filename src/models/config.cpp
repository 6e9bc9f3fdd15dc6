#include "models/config.h"

#include <cmath>

#include "core/error.h"

namespace llm::models {
namespace {

struct Range {
  std::string_view key;
  std::int64_t value;
  std::int64_t low;
  std::int64_t high;
};

bool positive_finite(double value) { return std::isfinite(value) && value > 0; }

Status validate_rope(const RopeConfig& rope, const ModelConfig& config, std::string_view where) {
  if (!positive_finite(rope.theta)) {
    return core::corrupt_data("{}: rope theta: expected a positive number, found {}", where,
                              rope.theta);
  }
  if (!positive_finite(rope.factor)) {
    return core::corrupt_data("{}: rope scaling factor: expected a positive number, found {}",
                              where, rope.factor);
  }
  if (rope.rotary_dim < 2 || rope.rotary_dim % 2 != 0 || rope.rotary_dim > config.head_dim) {
    return core::corrupt_data(
        "{}: rotary dimensions: expected an even number up to head_dim {}, found {}", where,
        config.head_dim, rope.rotary_dim);
  }
  const bool needs_original = rope.scaling == RopeScaling::dynamic_ntk ||
                              rope.scaling == RopeScaling::llama3 ||
                              rope.scaling == RopeScaling::yarn;
  if (needs_original && rope.original_positions < 1) {
    return core::corrupt_data("{}: rope scaling {}: expected a positive original length, found {}",
                              where, to_string(rope.scaling), rope.original_positions);
  }
  if (rope.scaling == RopeScaling::dynamic_ntk && rope.rotary_dim < 4) {
    return core::corrupt_data(
        "{}: dynamic rope scaling needs at least 4 rotary dimensions, found {}", where,
        rope.rotary_dim);
  }
  if (rope.scaling == RopeScaling::llama3 &&
      !(positive_finite(rope.low_freq_factor) && positive_finite(rope.high_freq_factor) &&
        rope.high_freq_factor > rope.low_freq_factor)) {
    return core::corrupt_data(
        "{}: rope scaling llama3: expected 0 < low_freq_factor < high_freq_factor, found {} and {}",
        where, rope.low_freq_factor, rope.high_freq_factor);
  }
  if (rope.scaling == RopeScaling::yarn &&
      (!positive_finite(rope.beta_fast) || !positive_finite(rope.beta_slow) || rope.theta == 1.0 ||
       (rope.attention_factor && !positive_finite(*rope.attention_factor)))) {
    return core::corrupt_data(
        "{}: rope scaling yarn: beta_fast, beta_slow and attention_factor "
        "must be positive numbers",
        where);
  }
  if (!rope.divisors.empty()) {
    if (rope.divisors.size() != static_cast<std::size_t>(rope.rotary_dim / 2)) {
      return core::corrupt_data("{}: rope_freqs.weight: expected {} values, found {}", where,
                                rope.rotary_dim / 2, rope.divisors.size());
    }
    for (const float divisor : rope.divisors) {
      if (!positive_finite(static_cast<double>(divisor))) {
        return core::corrupt_data("{}: rope_freqs.weight: expected positive numbers, found {}",
                                  where, divisor);
      }
    }
  }
  return {};
}

}  // namespace

Status validate_config(const ModelConfig& config, std::string_view where) {
  // Upper bounds are far above any model there is; they keep every later product inside 64 bits.
  const Range ranges[] = {
      {"vocabulary size", config.vocab_size, 1, std::int64_t{1} << 24},
      {"hidden size", config.hidden_size, 1, std::int64_t{1} << 20},
      {"feed-forward size", config.ffn_size, 1, std::int64_t{1} << 22},
      {"number of layers", config.n_layers, 1, 10000},
      {"number of attention heads", config.n_heads, 1, 65536},
      {"number of key-value heads", config.n_kv_heads, 1, config.n_heads},
      {"head dimension", config.head_dim, 2, 1024},
      {"maximum positions", config.max_positions, 1, std::int64_t{1} << 31},
      {"sliding window", config.sliding_window, 0, std::int64_t{1} << 31},
  };
  for (const Range& range : ranges) {
    if (range.value < range.low || range.value > range.high) {
      return core::corrupt_data("{}: {}: expected {}..={}, found {}", where, range.key, range.low,
                                range.high, range.value);
    }
  }
  if (config.n_heads % config.n_kv_heads != 0) {
    return core::corrupt_data(
        "{}: number of attention heads: expected a multiple of {} key-value heads, found {}", where,
        config.n_kv_heads, config.n_heads);
  }
  if (!positive_finite(static_cast<double>(config.norm_eps))) {
    return core::corrupt_data("{}: norm epsilon: expected a positive number, found {}", where,
                              config.norm_eps);
  }
  return validate_rope(config.rope, config, where);
}

Result<ModelConfig> read_config(const formats::ModelFile& file) {
  const bool gguf = file.format() == formats::FileFormat::gguf;
  LLM_ASSIGN_OR_RETURN(ModelConfig config, gguf ? config_from_gguf(file) : config_from_hf(file));
  const std::string where =
      gguf ? file.path().string() : (file.directory() / "config.json").string();
  LLM_RETURN_IF_ERROR(validate_config(config, where));
  return config;
}

}  // namespace llm::models
