#include "models/config_difference.h"

#include <fmt/format.h>

#include <cmath>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace llm::models {
namespace {

// Of numbers that were rounded to f32 on the way, and of powers of such numbers.
constexpr double kRounding = 1e-5;

bool close(double wanted, double found) {
  return wanted == found || std::abs(wanted - found) <= kRounding * std::abs(wanted);
}

/// Collects the first difference.
class Comparison {
 public:
  template <class T>
  void exact(std::string_view what, const T& wanted, const T& found) {
    if (!(wanted == found)) report(what, wanted, found);
  }
  /// For values that mean nothing to a reader of the message.
  template <class T>
  void same(std::string_view what, const T& wanted, const T& found) {
    if (!(wanted == found) && !first_) first_ = fmt::format("{} would be another", what);
  }
  void number(std::string_view what, double wanted, double found) {
    if (close(wanted, found)) return;
    report(what, fmt::format("{:.6g}", wanted), fmt::format("{:.6g}", found));
  }
  std::optional<std::string> first() && { return std::move(first_); }

 private:
  template <class T>
  void report(std::string_view what, const T& wanted, const T& found) {
    if (!first_) first_ = fmt::format("{}: {} would become {}", what, wanted, found);
  }
  std::optional<std::string> first_;
};

double scale_of(const ModelConfig& config) {
  return config.attention_scale > 0 ? config.attention_scale
                                    : 1.0 / std::sqrt(static_cast<double>(config.head_dim));
}

/// A window that no sequence outgrows is none.
std::int64_t window_of(const ModelConfig& config, std::size_t layer) {
  const std::int64_t window = config.layers[layer].window;
  return window < config.max_positions ? window : 0;
}

void compare_ropes(const RopeConfig& wanted, const RopeConfig& found, std::int64_t max_positions,
                   Comparison& comparison) {
  comparison.exact("rotary dimensions", wanted.rotary_dim, found.rotary_dim);
  if (wanted.rotary_dim != found.rotary_dim) return;
  const Rope a(wanted);
  const Rope b(found);
  comparison.number("attention factor of the rope scaling",
                    static_cast<double>(a.attention_factor()),
                    static_cast<double>(b.attention_factor()));
  // Frequencies may change where a sequence outgrows either one's original length.
  const std::int64_t lengths[] = {1, wanted.original_positions + 1, found.original_positions + 1,
                                  max_positions};
  for (const std::int64_t length : lengths) {
    if (length < 1 || length > max_positions) continue;
    const std::vector<float> left = a.inverse_frequencies(length);
    const std::vector<float> right = b.inverse_frequencies(length);
    for (std::size_t pair = 0; pair < left.size(); ++pair) {
      comparison.number(fmt::format("rope scaling {}, frequency {} at length {}",
                                    to_string(wanted.scaling), pair, length),
                        static_cast<double>(left[pair]), static_cast<double>(right[pair]));
    }
  }
}

void compare_experts(const ModelConfig& wanted, const ModelConfig& found, Comparison& comparison) {
  const MoeConfig& a = wanted.moe;
  const MoeConfig& b = found.moe;
  comparison.exact("number of experts", a.n_experts, b.n_experts);
  if (a.n_experts == 0 || b.n_experts == 0) return;
  comparison.exact("experts per token", a.n_used, b.n_used);
  comparison.exact("feed-forward size of an expert", a.ffn_size, b.ffn_size);
  comparison.exact("feed-forward size of the shared expert", a.shared_ffn_size, b.shared_ffn_size);
  comparison.same("score of experts", a.routing.score, b.routing.score);
  comparison.exact("normalised expert weights", a.routing.normalize, b.routing.normalize);
  comparison.number("scale of expert weights", static_cast<double>(a.routing.scale),
                    static_cast<double>(b.routing.scale));
  comparison.exact("groups of experts", a.routing.groups, b.routing.groups);
  comparison.exact("groups of experts used", a.routing.groups_used, b.routing.groups_used);
  if (a.routing.groups > 1) {
    comparison.same("score of expert groups", a.routing.group_score, b.routing.group_score);
  }
}

void compare_layers(const ModelConfig& wanted, const ModelConfig& found, Comparison& comparison) {
  std::set<std::pair<int, int>> ropes;
  for (std::size_t l = 0; l < wanted.layers.size(); ++l) {
    const LayerConfig& a = wanted.layers[l];
    const LayerConfig& b = found.layers[l];
    comparison.exact(fmt::format("sliding window of layer {}", l), window_of(wanted, l),
                     window_of(found, l));
    comparison.exact(fmt::format("experts in layer {}", l), a.moe, b.moe);
    comparison.exact(fmt::format("rotation in layer {}", l), a.rope != kNoRope, b.rope != kNoRope);
    if (a.rope != kNoRope && b.rope != kNoRope) ropes.emplace(a.rope, b.rope);
  }
  for (const auto& [a, b] : ropes) {
    compare_ropes(wanted.ropes[static_cast<std::size_t>(a)],
                  found.ropes[static_cast<std::size_t>(b)], wanted.max_positions, comparison);
  }
}

}  // namespace

std::optional<std::string> config_difference(const ModelConfig& wanted, const ModelConfig& found) {
  Comparison comparison;
  const ArchSpec& a = *wanted.spec;
  const ArchSpec& b = *found.spec;
  comparison.same("kind of norm", a.norm, b.norm);
  comparison.same("kind of feed-forward network", a.ffn, b.ffn);
  comparison.exact("scaled embeddings", a.scale_embedding, b.scale_embedding);
  comparison.exact("latent attention", a.latent_attention, b.latent_attention);
  comparison.same("attention and feed-forward network one after the other or side by side",
                  wanted.form, found.form);
  comparison.same("activation function", wanted.activation, found.activation);
  comparison.exact("vocabulary size", wanted.vocab_size, found.vocab_size);
  comparison.exact("hidden size", wanted.hidden_size, found.hidden_size);
  comparison.exact("feed-forward size", wanted.ffn_size, found.ffn_size);
  comparison.exact("number of layers", wanted.n_layers, found.n_layers);
  comparison.exact("number of attention heads", wanted.n_heads, found.n_heads);
  comparison.exact("maximum positions", wanted.max_positions, found.max_positions);
  comparison.exact("head dimension", wanted.head_dim, found.head_dim);
  if (!a.latent_attention) {
    comparison.exact("number of key-value heads", wanted.n_kv_heads, found.n_kv_heads);
  }
  comparison.exact("query latent", wanted.mla.q_latent, found.mla.q_latent);
  comparison.exact("key-value latent", wanted.mla.kv_latent, found.mla.kv_latent);
  comparison.exact("unrotated head part", wanted.mla.nope_dim, found.mla.nope_dim);
  comparison.exact("rotated head part", wanted.mla.rope_dim, found.mla.rope_dim);
  comparison.exact("value head dimension", wanted.mla.v_dim, found.mla.v_dim);
  comparison.number("norm epsilon", static_cast<double>(wanted.norm_eps),
                    static_cast<double>(found.norm_eps));
  comparison.number("attention scale (query_pre_attn_scalar)", scale_of(wanted), scale_of(found));
  comparison.number("soft cap of attention", wanted.attention_softcap, found.attention_softcap);
  comparison.number("soft cap of the logits", wanted.final_softcap, found.final_softcap);
  comparison.exact("norms of each head", wanted.head_norms, found.head_norms);
  comparison.exact("output matrix equal to the embedding", wanted.tie_embeddings,
                   found.tie_embeddings);
  compare_experts(wanted, found, comparison);
  if (wanted.layers.size() == found.layers.size()) compare_layers(wanted, found, comparison);
  return std::move(comparison).first();
}

}  // namespace llm::models
