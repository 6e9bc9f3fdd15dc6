#include "offline/quant_mix.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "core/error.h"
#include "core/quote.h"

namespace llm::offline {
namespace {

using Rule = QuantMix::Rule;

constexpr QuantMix kMixes[] = {
    {"f32", "", DType::f32, 0, Rule::same},       {"f16", "", DType::f16, 1, Rule::same},
    {"bf16", "", DType::bf16, 32, Rule::same},    {"q8_0", "", DType::q8_0, 7, Rule::same},
    {"q4_0", "", DType::q4_0, 2, Rule::same},     {"q4_1", "", DType::q4_1, 3, Rule::same},
    {"q5_0", "", DType::q5_0, 8, Rule::same},     {"q5_1", "", DType::q5_1, 9, Rule::same},
    {"q4_k_s", "", DType::q4_k, 14, Rule::small}, {"q4_k_m", "q4_k", DType::q4_k, 15, Rule::medium},
    {"q5_k_s", "", DType::q5_k, 16, Rule::same},  {"q5_k_m", "q5_k", DType::q5_k, 17, Rule::medium},
    {"q6_k", "", DType::q6_k, 18, Rule::same},    {"iq4_nl", "", DType::iq4_nl, 25, Rule::nl},
};

bool equals(std::string_view name, std::string_view typed) {
  return !name.empty() &&
         std::equal(name.begin(), name.end(), typed.begin(), typed.end(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
         });
}

/// The parts of a model that the rules tell apart, by GGUF's names.
enum class Part : std::uint8_t { output, embedding, v, k, attention_output, ffn_down, other };

Part part_of(std::string_view name) {
  const auto has = [&](std::string_view text) { return name.find(text) != std::string_view::npos; };
  if (name == "output.weight") return Part::output;
  if (name == "token_embd.weight") return Part::embedding;
  // Fused matrices count as what is most sensitive in them.
  if (has("attn_v.weight") || has("attn_qkv.weight") || has("attn_kv_b.weight")) return Part::v;
  if (has("attn_k.weight")) return Part::k;
  if (has("attn_output.weight")) return Part::attention_output;
  if (has("ffn_down")) return Part::ffn_down;
  return Part::other;
}

/// Matrices of weights, but not routers and what else is small and decides much.
bool is_quantized(const OutputTensor& tensor) {
  const std::string_view name = tensor.name;
  return !tensor.opaque && tensor.dimensions() >= 2 && name.ends_with("weight") &&
         name.find("_norm.weight") == std::string_view::npos &&
         name.find("ffn_gate_inp.weight") == std::string_view::npos;
}

/// 0 where the name has no layer.
std::int64_t layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  std::int64_t layer = 0;
  if (name.starts_with(kPrefix)) {
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
  }
  return layer;
}

/// The first eighth of n, the last, and every third between.
bool gets_more_bits(std::int64_t i, std::int64_t n) {
  return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

bool fits(DType dtype, std::int64_t columns) {
  return columns % static_cast<std::int64_t>(dtype_info(dtype).block_elements) == 0;
}

/// A type of 32 elements a block with about as many bits; f16 where rows are not even multiples of
/// that.
DType fallback(DType wanted, std::int64_t columns) {
  DType smaller = wanted;
  if (wanted == DType::q4_k) smaller = DType::q5_0;
  if (wanted == DType::q5_k) smaller = DType::q5_1;
  if (wanted == DType::q6_k) smaller = DType::q8_0;
  return fits(smaller, columns) ? smaller : DType::f16;
}

class Mixer {
 public:
  Mixer(const QuantMix& mix, const MixedModel& model, std::span<const OutputTensor> tensors)
      : mix_(mix), model_(model) {
    for (const OutputTensor& tensor : tensors) {
      const Part part = part_of(tensor.name);
      if (part == Part::v) v_layers_.push_back(layer_of(tensor.name));
      if (part == Part::output) tied_ = false;
    }
    std::sort(v_layers_.begin(), v_layers_.end());
  }

  DType wanted(const OutputTensor& tensor) const {
    const std::int64_t layer = layer_of(tensor.name);
    switch (part_of(tensor.name)) {
      case Part::output:
        return for_output(tensor);
      case Part::embedding:
        return tied_ ? for_output(tensor) : mix_.base;
      case Part::v:
        return for_v(layer);
      case Part::k:
        return has_eight_experts() ? DType::q8_0 : mix_.base;
      case Part::attention_output:
        return for_attention_output();
      case Part::ffn_down:
        return for_ffn_down(layer);
      case Part::other:
        break;
    }
    return mix_.base;
  }

 private:
  bool has_eight_experts() const { return model_.n_experts == 8; }
  bool heads_share(std::int64_t count) const {
    return model_.n_kv_heads > 0 && model_.n_heads / model_.n_kv_heads >= count;
  }
  bool is_of(DType base) const { return mix_.base == base; }

  /// The last matrix decides between all tokens.
  DType for_output(const OutputTensor& tensor) const {
    if (model_.own_rules || !fits(mix_.base, tensor.columns())) return DType::q8_0;
    return is_of(DType::q8_0) ? DType::q8_0 : DType::q6_k;
  }

  DType for_v(std::int64_t layer) const {
    const auto index =
        std::lower_bound(v_layers_.begin(), v_layers_.end(), layer) - v_layers_.begin();
    const auto count = static_cast<std::int64_t>(v_layers_.size());
    DType type = mix_.base;
    if (mix_.rule == Rule::nl && heads_share(4)) type = DType::q5_k;
    if (mix_.rule == Rule::medium && gets_more_bits(index, count)) type = DType::q6_k;
    if (mix_.rule == Rule::small && index < 4) type = DType::q5_k;
    // The 70B models: a v matrix is so small beside the others that more bits cost nothing.
    const bool is_70b =
        model_.n_layers == 80 && model_.n_heads != model_.n_kv_heads && !model_.own_rules;
    if (is_70b && !has_eight_experts() && type == DType::q4_k) type = DType::q5_k;
    // So is it beside eight experts.
    return has_eight_experts() ? DType::q8_0 : type;
  }

  DType for_attention_output() const {
    const bool four_bits = is_of(DType::q4_k) || is_of(DType::iq4_nl);
    return !model_.own_rules && has_eight_experts() && four_bits ? DType::q5_k : mix_.base;
  }

  DType for_ffn_down(std::int64_t layer) const {
    const std::int64_t n = model_.n_layers;
    switch (mix_.rule) {
      case Rule::same:
        return mix_.base;
      case Rule::small:
        return layer < n / 8 && !model_.own_rules ? DType::q5_k : mix_.base;
      case Rule::nl:
        return layer < n / 8 ? DType::q5_k : mix_.base;
      case Rule::medium:
        break;
    }
    const bool more = gets_more_bits(layer, n);
    if (model_.own_rules && is_of(DType::q4_k)) {
      return layer < n / 16 ? DType::q6_k : more ? DType::q5_k : DType::q4_k;
    }
    return more ? DType::q6_k : mix_.base;
  }

  const QuantMix& mix_;
  const MixedModel& model_;
  std::vector<std::int64_t> v_layers_;  // layers with such a matrix, in order
  bool tied_ = true;                    // the embedding is the output matrix as well
};

}  // namespace

std::span<const QuantMix> quant_mixes() { return kMixes; }

Result<const QuantMix*> find_quant_mix(std::string_view name) {
  std::vector<std::string> known;
  for (const QuantMix& mix : kMixes) {
    if (equals(mix.name, name) || equals(mix.alias, name)) return &mix;
    known.emplace_back(mix.name);
    if (!mix.alias.empty()) known.push_back(fmt::format("{} (= {})", mix.alias, mix.name));
  }
  return core::invalid_argument("type {}: expected one of {}", core::quote(name),
                                fmt::join(known, ", "));
}

std::vector<ChosenType> choose_types(const QuantMix& mix, bool pure, const MixedModel& model,
                                     std::span<const OutputTensor> tensors,
                                     std::span<const DType> kept) {
  std::vector<ChosenType> types;
  const Mixer mixer(mix, model, tensors);
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    if (!is_quantized(tensors[t])) {
      types.push_back({kept[t], {}});
      continue;
    }
    const bool plain = pure || !is_block_quantized(mix.base);
    const DType wanted = plain ? mix.base : mixer.wanted(tensors[t]);
    if (fits(wanted, tensors[t].columns())) {
      types.push_back({wanted, {}});
    } else {
      types.push_back({fallback(wanted, tensors[t].columns()), wanted});
    }
  }
  return types;
}

}  // namespace llm::offline
