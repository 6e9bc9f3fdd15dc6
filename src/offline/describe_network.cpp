#include "offline/describe_network.h"

#include <algorithm>

#include "core/thread_pool.h"
#include "formats/model_file.h"
#include "kernels/kernels.h"
#include "models/load.h"
#include "models/network_builder.h"

namespace llm::offline {
namespace {

using models::AttentionGqa;
using models::AttentionMla;
using models::FfnDense;
using models::FfnMoe;
using models::Linear;
using models::Norm;

MatrixDescription describe(std::string_view name, const Linear& linear, std::size_t copies = 1) {
  return {.name = name,
          .rows = linear.matrix.rows,
          .cols = linear.matrix.cols,
          .dtype = linear.matrix.dtype,
          .bias = !linear.bias.empty(),
          .copies = static_cast<std::int64_t>(copies)};
}

void add(std::vector<MatrixDescription>& to, std::initializer_list<std::string_view> names,
         const models::LinearGroup& group, std::size_t copies = 1) {
  std::size_t member = 0;
  for (const std::string_view name : names) {
    to.push_back(describe(name, group.members()[member++], copies));
  }
}

void add(std::vector<NormDescription>& to, std::string_view name, const Norm& norm,
         std::int64_t size) {
  if (!norm.present()) return;
  to.push_back({.name = name,
                .kind = norm.kind == models::NormKind::rms ? "rms" : "layer",
                .size = size,
                .sets = static_cast<std::int64_t>(norm.weight.size()) / size,
                .eps = norm.eps,
                .bias = !norm.bias.empty()});
}

std::string_view name_of(kernels::Activation activation) {
  switch (activation) {
    case kernels::Activation::silu:
      return "silu";
    case kernels::Activation::gelu:
      return "gelu";
    case kernels::Activation::gelu_tanh:
      return "gelu_tanh";
  }
  return "";
}

RopeDescription describe(const models::RopeConfig& config) {
  return {.theta = config.theta,
          .dims = config.rotary_dim,
          .scaling = models::to_string(config.scaling),
          .factor = config.factor,
          .original_positions = config.scaling == models::RopeScaling::none ||
                                        config.scaling == models::RopeScaling::linear
                                    ? 0
                                    : config.original_positions,
          .attention_factor = models::Rope(config).attention_factor(),
          .divisors = !config.divisors.empty()};
}

AttentionDescription describe(const AttentionGqa& gqa, const models::ModelConfig& config) {
  AttentionDescription attention{.heads = gqa.n_heads,
                                 .kv_heads = gqa.n_kv_heads,
                                 .head_dim = gqa.head_dim,
                                 .scale = gqa.scale,
                                 .softcap = gqa.softcap,
                                 .window = gqa.window,
                                 .rope = {},
                                 .latent = {},
                                 .norms = {},
                                 .matrices = {}};
  if (gqa.rope != models::kNoRope) {
    attention.rope = describe(config.ropes[static_cast<std::size_t>(gqa.rope)]);
  }
  add(attention.norms, "q_norm", gqa.q_norm, gqa.head_dim);
  add(attention.norms, "k_norm", gqa.k_norm, gqa.head_dim);
  add(attention.matrices, {"q", "k", "v"}, gqa.qkv);
  add(attention.matrices, {"output"}, gqa.output);
  return attention;
}

AttentionDescription describe(const AttentionMla& mla, const models::ModelConfig& config) {
  AttentionDescription attention{.heads = mla.n_heads,
                                 .kv_heads = mla.n_heads,
                                 .head_dim = mla.nope_dim + mla.rope_dim,
                                 .scale = mla.scale,
                                 .softcap = 0,
                                 .window = 0,
                                 .rope = describe(config.rope()),
                                 .latent = LatentDescription{.q_latent = mla.q_latent,
                                                             .kv_latent = mla.kv_latent,
                                                             .unrotated = mla.nope_dim,
                                                             .rotated = mla.rope_dim,
                                                             .value = mla.v_dim},
                                 .norms = {},
                                 .matrices = {}};
  add(attention.norms, "q_latent_norm", mla.q_norm, mla.q_latent);
  add(attention.norms, "kv_latent_norm", mla.kv_norm, mla.kv_latent);
  add(attention.matrices, {mla.q_latent > 0 ? "q_down" : "q", "kv_down"}, mla.down);
  if (mla.q_latent > 0) add(attention.matrices, {"q_up"}, mla.q_up);
  for (const auto& [name, heads] :
       {std::pair{"k_absorbed", &mla.k_absorbed.heads}, {"v_up", &mla.v_up.heads}}) {
    attention.matrices.push_back(describe(name, heads->front(), heads->size()));
  }
  add(attention.matrices, {"output"}, mla.output);
  return attention;
}

FeedForwardDescription describe(const FfnDense& dense) {
  FeedForwardDescription ffn{.gated = dense.kind == models::FfnKind::gated,
                             .activation = name_of(dense.activation),
                             .routing = {},
                             .matrices = {}};
  if (ffn.gated) {
    add(ffn.matrices, {"gate", "up"}, dense.gate_up);
  } else {
    add(ffn.matrices, {"up"}, dense.gate_up);
  }
  add(ffn.matrices, {"down"}, dense.down);
  return ffn;
}

FeedForwardDescription describe(const FfnMoe& moe) {
  const FfnDense& expert = moe.experts.front();
  const models::ExpertRouting& routing = moe.routing;
  FeedForwardDescription ffn = describe(expert);
  for (MatrixDescription& matrix : ffn.matrices) {
    matrix.copies = static_cast<std::int64_t>(moe.experts.size());
  }
  ffn.routing = RoutingDescription{
      .experts = static_cast<std::int64_t>(moe.experts.size()),
      .used = moe.n_used,
      .score = routing.score == models::ExpertScore::softmax ? "softmax" : "sigmoid",
      .choice_bias = !moe.choice_bias.empty(),
      .normalized = routing.normalize,
      .scale = routing.scale,
      .groups = routing.groups,
      .groups_used = routing.groups_used,
      .group_score = routing.group_score == models::GroupScore::best ? "best" : "best two",
      .shared = moe.shared.down.outputs() > 0,
      .shared_gate = moe.shared_router.outputs() > 0};
  add(ffn.matrices, {"router"}, moe.router);
  if (ffn.routing->shared) {
    add(ffn.matrices, {"shared_gate", "shared_up"}, moe.shared.gate_up);
    add(ffn.matrices, {"shared_down"}, moe.shared.down);
  }
  if (ffn.routing->shared_gate) add(ffn.matrices, {"shared_router"}, moe.shared_router);
  return ffn;
}

LayerDescription describe(const models::Layer& layer, const models::ModelConfig& config) {
  LayerDescription description;
  description.parallel = layer.form == models::LayerForm::parallel;
  add(description.norms, "attention_norm", layer.attention_norm, config.hidden_size);
  add(description.norms, "post_attention_norm", layer.post_attention_norm, config.hidden_size);
  add(description.norms, "ffn_norm", layer.ffn_norm, config.hidden_size);
  add(description.norms, "post_ffn_norm", layer.post_ffn_norm, config.hidden_size);
  description.attention =
      std::visit([&](const auto& block) { return describe(block, config); }, layer.attention);
  description.ffn = std::visit([](const auto& block) { return describe(block); }, layer.ffn);
  return description;
}

bool alike(const LayerDescription& a, const LayerDescription& b) {
  return a.parallel == b.parallel && a.norms == b.norms && a.attention == b.attention &&
         a.ffn == b.ffn;
}

void add_layer(std::int64_t index, LayerDescription layer, std::vector<LayerDescription>& kinds) {
  const auto found = std::find_if(kinds.begin(), kinds.end(),
                                  [&](const LayerDescription& kind) { return alike(kind, layer); });
  if (found == kinds.end()) {
    layer.layers = {{index, index}};
    kinds.push_back(std::move(layer));
  } else if (found->layers.back().second == index - 1) {
    found->layers.back().second = index;
  } else {
    found->layers.emplace_back(index, index);
  }
}

}  // namespace

bool LayerDescription::has_norm(std::string_view name) const {
  return std::any_of(norms.begin(), norms.end(),
                     [&](const NormDescription& norm) { return norm.name == name; });
}

Result<NetworkDescription> describe_network(const std::string& path, const std::string& dtype) {
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile file, formats::ModelFile::open(path));
  LLM_ASSIGN_OR_RETURN(const models::ModelConfig config, models::read_config(file));
  LLM_ASSIGN_OR_RETURN(const models::ModelTypes types, models::resolve_types(file, dtype));
  LLM_ASSIGN_OR_RETURN(const kernels::Ops* ops, kernels::select_ops(""));
  core::ThreadPool pool(1);
  models::NetworkBuilder builder(file, config, types, *ops, pool, models::LoadMode::plan);
  LLM_ASSIGN_OR_RETURN(const models::Network network, builder.build({}));

  NetworkDescription description;
  description.embedding = {.name = "embedding",
                           .rows = config.vocab_size,
                           .cols = config.hidden_size,
                           .dtype = network.embedding.stored};
  description.embedding_scale = network.embedding.scale;
  description.n_layers = config.n_layers;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    add_layer(static_cast<std::int64_t>(l), describe(network.layers[l], config), description.kinds);
  }
  std::vector<NormDescription> last;
  add(last, "final_norm", network.final_norm, config.hidden_size);
  description.final_norm = last.front();
  description.head = describe("head", network.lm_head.members().front());
  description.head_tied = network.tied_head;
  description.logit_softcap = network.logit_softcap;
  return description;
}

}  // namespace llm::offline
