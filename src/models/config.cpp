#include "models/config.h"

#include <cmath>
#include <span>

#include "core/error.h"

namespace llm::models {
namespace {

// Far above any model there is; they keep every later product inside 64 bits.
constexpr std::int64_t kMaxLayers = 10000;
constexpr std::int64_t kMaxHeads = 65536;
constexpr std::int64_t kMaxHiddenSize = std::int64_t{1} << 20;
constexpr std::int64_t kMaxFfnSize = std::int64_t{1} << 22;

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
  const bool needs_original =
      rope.scaling == RopeScaling::dynamic_ntk || rope.scaling == RopeScaling::llama3 ||
      rope.scaling == RopeScaling::yarn || rope.scaling == RopeScaling::longrope;
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
      (!positive_finite(rope.beta_fast) || !positive_finite(rope.beta_slow) || rope.theta == 1.0)) {
    return core::corrupt_data("{}: rope scaling yarn: beta_fast and beta_slow must be positive",
                              where);
  }
  if (rope.attention_factor && !positive_finite(*rope.attention_factor)) {
    return core::corrupt_data("{}: rope attention factor: expected a positive number, found {}",
                              where, *rope.attention_factor);
  }
  for (const std::vector<float>* divisors : {&rope.divisors, &rope.long_divisors}) {
    if (divisors->empty()) continue;
    if (divisors->size() != static_cast<std::size_t>(rope.rotary_dim / 2)) {
      return core::corrupt_data("{}: rotary divisors: expected {} values, found {}", where,
                                rope.rotary_dim / 2, divisors->size());
    }
    for (const float divisor : *divisors) {
      if (!positive_finite(static_cast<double>(divisor))) {
        return core::corrupt_data("{}: rotary divisors: expected positive numbers, found {}", where,
                                  divisor);
      }
    }
  }
  return {};
}

Status validate_ranges(std::span<const Range> ranges, std::string_view where) {
  for (const Range& range : ranges) {
    if (range.value < range.low || range.value > range.high) {
      return core::corrupt_data("{}: {}: expected {}..={}, found {}", where, range.key, range.low,
                                range.high, range.value);
    }
  }
  return {};
}

Status validate_experts(const ModelConfig& config, std::string_view where) {
  const MoeConfig& moe = config.moe;
  if (moe.n_experts == 0) return {};
  const Range ranges[] = {
      {"number of experts", moe.n_experts, 1, 65536},
      {"experts per token", moe.n_used, 1, moe.n_experts},
      {"expert feed-forward size", moe.ffn_size, 1, kMaxFfnSize},
      {"shared expert feed-forward size", moe.shared_ffn_size, 0, kMaxFfnSize},
  };
  LLM_RETURN_IF_ERROR(validate_ranges(ranges, where));
  const ExpertRouting& routing = moe.routing;
  if (routing.groups < 1 || routing.groups > kMaxExpertGroups ||
      moe.n_experts % routing.groups != 0 || routing.groups_used < 1 ||
      routing.groups_used > routing.groups ||
      moe.n_experts / routing.groups * routing.groups_used < moe.n_used) {
    return core::corrupt_data(
        "{}: expert groups: expected 1..={} equal groups of {} experts, enough in those used for "
        "{} "
        "per token, found {} groups of which {} are used",
        where, kMaxExpertGroups, moe.n_experts, moe.n_used, routing.groups, routing.groups_used);
  }
  if (!std::isfinite(moe.routing.scale)) {
    return core::corrupt_data("{}: scale of expert weights: expected a number, found {}", where,
                              moe.routing.scale);
  }
  return {};
}

Status validate_mla(const ModelConfig& config, std::string_view where) {
  const MlaConfig& mla = config.mla;
  if (mla.kv_latent == 0) return {};
  const Range ranges[] = {
      {"query latent", mla.q_latent, 0, 65536},       {"key-value latent", mla.kv_latent, 1, 16384},
      {"unrotated head part", mla.nope_dim, 1, 1024}, {"rotated head part", mla.rope_dim, 2, 1024},
      {"value head dimension", mla.v_dim, 1, 1024},
  };
  return validate_ranges(ranges, where);
}

}  // namespace

Status validate_config(const ModelConfig& config, std::string_view where) {
  const Range ranges[] = {
      {"vocabulary size", config.vocab_size, 1, std::int64_t{1} << 24},
      {"hidden size", config.hidden_size, 1, kMaxHiddenSize},
      {"feed-forward size", config.ffn_size, 1, kMaxFfnSize},
      {"number of layers", config.n_layers, 1, kMaxLayers},
      {"number of attention heads", config.n_heads, 1, kMaxHeads},
      {"number of key-value heads", config.n_kv_heads, 1, config.n_heads},
      {"head dimension", config.head_dim, 2, 1024},
      {"maximum positions", config.max_positions, 1, std::int64_t{1} << 31},
  };
  LLM_RETURN_IF_ERROR(validate_ranges(ranges, where));
  for (const LayerConfig& layer : config.layers) {
    if (layer.window < 0 || layer.window > std::int64_t{1} << 31) {
      return core::corrupt_data("{}: sliding window: expected 0..=2^31, found {}", where,
                                layer.window);
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
  LLM_RETURN_IF_ERROR(validate_experts(config, where));
  LLM_RETURN_IF_ERROR(validate_mla(config, where));
  if (!std::isfinite(config.attention_scale) || config.attention_scale < 0 ||
      !std::isfinite(config.attention_softcap) || config.attention_softcap < 0 ||
      !std::isfinite(config.final_softcap) || config.final_softcap < 0) {
    return core::corrupt_data(
        "{}: attention scale and soft caps: expected numbers from 0 on, found {}, {} and {}", where,
        config.attention_scale, config.attention_softcap, config.final_softcap);
  }
  for (const RopeConfig& rope : config.ropes) {
    LLM_RETURN_IF_ERROR(validate_rope(rope, config, where));
  }
  return {};
}

Status validate_width(const ModelConfig& config, std::string_view where) {
  const Range ranges[] = {{"hidden size", config.hidden_size, 1, kMaxHiddenSize},
                          {"feed-forward size", config.ffn_size, 0, kMaxFfnSize},
                          {"number of attention heads", config.n_heads, 1, kMaxHeads}};
  return validate_ranges(ranges, where);
}

Status set_layers(ModelConfig& config, std::int64_t window, std::string_view where) {
  if (config.n_layers < 1 || config.n_layers > kMaxLayers) {
    return core::corrupt_data("{}: number of layers: expected 1..={}, found {}", where, kMaxLayers,
                              config.n_layers);
  }
  config.layers.assign(static_cast<std::size_t>(config.n_layers), {.window = window, .rope = 0});
  return {};
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
