#include "cli/network_report.h"

#include <fmt/format.h>

#include <iterator>

namespace llm::cli {
namespace {

using core::Json;
using offline::AttentionDescription;
using offline::FeedForwardDescription;
using offline::LayerDescription;
using offline::MatrixDescription;
using offline::NetworkDescription;
using offline::NormDescription;
using offline::RopeDescription;
using offline::RoutingDescription;

constexpr int kLabelWidth = 22;

std::string line(int indent, std::string_view label, std::string_view text) {
  return fmt::format("{:<{}}{}\n",
                     std::string(static_cast<std::size_t>(indent), ' ') + std::string(label),
                     kLabelWidth, text);
}

std::string counted(std::int64_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::string text_of(const MatrixDescription& matrix) {
  const std::string copies = matrix.copies > 1 ? fmt::format("{} x ", matrix.copies) : "";
  return fmt::format("{}{} ({}, {}){}", copies, to_string(matrix.dtype), matrix.rows, matrix.cols,
                     matrix.bias ? ", bias" : "");
}

std::string text_of(const NormDescription& norm) {
  std::string text = fmt::format("{} over {}, eps {:g}", norm.kind, norm.size, norm.eps);
  if (norm.sets > 1) text += fmt::format(", {} sets of weights", norm.sets);
  if (norm.bias) text += ", bias";
  return text;
}

std::string text_of(const RopeDescription& rope) {
  std::string text = fmt::format("{} dimensions, theta {:.12g}", rope.dims, rope.theta);
  if (rope.scaling != "none") {
    text += fmt::format(", {} scaling by {:g}", rope.scaling, rope.factor);
    if (rope.original_positions > 0)
      text += fmt::format(" of {} positions", rope.original_positions);
  }
  if (rope.divisors) text += ", a divisor for each pair";
  if (rope.attention_factor != 1.0F)
    text += fmt::format(", cos and sin times {:g}", rope.attention_factor);
  return text;
}

std::string text_of(const AttentionDescription& attention) {
  std::string text = counted(attention.heads, "head");
  if (const auto& latent = attention.latent) {
    text += fmt::format(" of {} (unrotated) + {} (rotated), values of {}, latent of {} cached",
                        latent->unrotated, latent->rotated, latent->value, latent->kv_latent);
    if (latent->q_latent > 0)
      text += fmt::format(", queries through a latent of {}", latent->q_latent);
  } else {
    text += fmt::format(", {}, head dimension {}", counted(attention.kv_heads, "key-value head"),
                        attention.head_dim);
  }
  text += fmt::format(", scale {:.6g}", attention.scale);
  if (attention.softcap > 0) text += fmt::format(", soft cap {:g}", attention.softcap);
  text +=
      attention.window > 0 ? fmt::format(", window of {}", attention.window) : ", sees everything";
  return text;
}

std::string text_of(const FeedForwardDescription& ffn) {
  return fmt::format("{}, {}", ffn.gated ? "down(act(gate(x)) * up(x))" : "down(act(up(x)))",
                     ffn.activation);
}

std::string text_of(const RoutingDescription& routing) {
  std::string text = fmt::format("{} of {} by {}", routing.used, routing.experts, routing.score);
  if (routing.choice_bias) text += " + bias";
  if (routing.groups > 1) {
    text += fmt::format(", from {} of {} groups by their {}", routing.groups_used, routing.groups,
                        routing.group_score);
  }
  text += routing.normalized ? ", weights made to add up to 1" : ", weights as scored";
  if (routing.scale != 1.0F) text += fmt::format(", times {:g}", routing.scale);
  if (routing.shared)
    text += routing.shared_gate ? ", beside a gated shared expert" : ", beside a shared expert";
  return text;
}

// The order of computation, e.g. "x += attention(attention_norm(x)); x += ffn(ffn_norm(x))".
std::string formula(const LayerDescription& layer) {
  const auto normed = [&](std::string_view name, std::string_view inner) {
    return layer.has_norm(name) ? fmt::format("{}({})", name, inner) : std::string(inner);
  };
  const std::string_view ffn_norm =
      layer.parallel && !layer.has_norm("ffn_norm") ? "attention_norm" : "ffn_norm";
  const std::string attention =
      normed("post_attention_norm", fmt::format("attention({})", normed("attention_norm", "x")));
  const std::string ffn = normed("post_ffn_norm", fmt::format("ffn({})", normed(ffn_norm, "x")));
  return layer.parallel ? fmt::format("x += {} + {}", attention, ffn)
                        : fmt::format("x += {}; x += {}", attention, ffn);
}

std::string ranges(const LayerDescription& layer) {
  std::string text;
  for (const auto& [first, last] : layer.layers) {
    if (!text.empty()) text += ", ";
    text += first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
  }
  return text;
}

std::string layer_text(const LayerDescription& layer) {
  const bool one = layer.layers.size() == 1 && layer.layers[0].first == layer.layers[0].second;
  std::string text =
      fmt::format("{} {}: {}\n", one ? "layer" : "layers", ranges(layer), formula(layer));
  for (const NormDescription& norm : layer.norms) text += line(2, norm.name, text_of(norm));
  text += line(2, "attention", text_of(layer.attention));
  text += line(4, "rope", layer.attention.rope ? text_of(*layer.attention.rope) : "none");
  for (const NormDescription& norm : layer.attention.norms)
    text += line(4, norm.name, text_of(norm));
  for (const MatrixDescription& matrix : layer.attention.matrices)
    text += line(4, matrix.name, text_of(matrix));
  text += line(2, "ffn", text_of(layer.ffn));
  if (layer.ffn.routing) text += line(4, "experts", text_of(*layer.ffn.routing));
  for (const MatrixDescription& matrix : layer.ffn.matrices)
    text += line(4, matrix.name, text_of(matrix));
  return text;
}

Json json_of(const MatrixDescription& matrix) {
  Json json = {{"dtype", to_string(matrix.dtype)},
               {"shape", {matrix.rows, matrix.cols}},
               {"bias", matrix.bias}};
  if (matrix.copies > 1) json["copies"] = matrix.copies;
  return json;
}

Json json_of(const NormDescription& norm) {
  return {{"kind", norm.kind},
          {"size", norm.size},
          {"sets", norm.sets},
          {"eps", norm.eps},
          {"bias", norm.bias}};
}

template <class Parts>
Json json_by_name(const Parts& parts) {
  Json json = Json::object();
  for (const auto& part : parts) json[std::string(part.name)] = json_of(part);
  return json;
}

Json json_of(const RopeDescription& rope) {
  return {{"theta", rope.theta},
          {"dims", rope.dims},
          {"scaling", rope.scaling},
          {"factor", rope.factor},
          {"original_positions", rope.original_positions},
          {"attention_factor", rope.attention_factor},
          {"divisors", rope.divisors}};
}

Json json_of(const AttentionDescription& attention) {
  Json json = {{"kind", attention.latent ? "latent" : "grouped_query"},
               {"heads", attention.heads},
               {"kv_heads", attention.kv_heads},
               {"head_dim", attention.head_dim},
               {"scale", attention.scale},
               {"softcap", attention.softcap},
               {"window", attention.window},
               {"rope", attention.rope ? json_of(*attention.rope) : Json(nullptr)},
               {"norms", json_by_name(attention.norms)},
               {"matrices", json_by_name(attention.matrices)}};
  if (const auto& latent = attention.latent) {
    json["latent"] = {{"q_latent", latent->q_latent},
                      {"kv_latent", latent->kv_latent},
                      {"unrotated", latent->unrotated},
                      {"rotated", latent->rotated},
                      {"value", latent->value}};
  }
  return json;
}

Json json_of(const RoutingDescription& routing) {
  return {{"experts", routing.experts},
          {"used", routing.used},
          {"score", routing.score},
          {"choice_bias", routing.choice_bias},
          {"normalized", routing.normalized},
          {"scale", routing.scale},
          {"groups", routing.groups},
          {"groups_used", routing.groups_used},
          {"group_score", routing.group_score},
          {"shared", routing.shared},
          {"shared_gate", routing.shared_gate}};
}

Json json_of(const FeedForwardDescription& ffn) {
  Json json = {{"kind", ffn.routing ? "experts"
                        : ffn.gated ? "gated"
                                    : "plain"},
               {"gated", ffn.gated},
               {"activation", ffn.activation},
               {"matrices", json_by_name(ffn.matrices)}};
  if (ffn.routing) json["routing"] = json_of(*ffn.routing);
  return json;
}

}  // namespace

std::string network_text(const NetworkDescription& network) {
  std::string embedding = text_of(network.embedding);
  if (network.embedding_scale != 1.0F)
    embedding += fmt::format(", times {:g}", network.embedding_scale);
  std::string text = line(0, "embedding", embedding);
  for (const LayerDescription& kind : network.kinds) text += layer_text(kind);
  text += line(0, "final_norm", text_of(network.final_norm));
  std::string head = text_of(network.head);
  if (network.head_tied) head += ", the embedding";
  if (network.logit_softcap > 0)
    head += fmt::format(", logits soft-capped at {:g}", network.logit_softcap);
  return text + line(0, "head", head);
}

Json network_json(const NetworkDescription& network) {
  Json kinds = Json::array();
  for (const LayerDescription& kind : network.kinds) {
    kinds.push_back({{"layers", kind.layers},
                     {"formula", formula(kind)},
                     {"norms", json_by_name(kind.norms)},
                     {"attention", json_of(kind.attention)},
                     {"ffn", json_of(kind.ffn)}});
  }
  Json embedding = json_of(network.embedding);
  embedding["scale"] = network.embedding_scale;
  Json head = json_of(network.head);
  head["tied"] = network.head_tied;
  head["softcap"] = network.logit_softcap;
  return {{"n_layers", network.n_layers},
          {"embedding", std::move(embedding)},
          {"kinds", std::move(kinds)},
          {"final_norm", json_of(network.final_norm)},
          {"head", std::move(head)}};
}

}  // namespace llm::cli
