#include "models/network_builder.h"

#include <cmath>

#include "core/half.h"

namespace llm::models {
namespace {

// sqrt(hidden_size), of the type that the reference multiplies the embedding in.
float embedding_scale(std::int64_t hidden_size, DType dtype) {
  const float scale = std::sqrt(static_cast<float>(hidden_size));
  if (dtype == DType::f16) return core::f16_to_f32(core::f32_to_f16(scale));
  if (dtype == DType::bf16) return core::bf16_to_f32(core::f32_to_bf16(scale));
  return scale;
}

}  // namespace

NetworkBuilder::NetworkBuilder(const formats::ModelFile& file, const ModelConfig& config,
                               const ModelTypes& types, const kernels::Ops& ops,
                               core::ThreadPool& pool, LoadMode mode, PackedWeights* packed)
    : file_(file),
      config_(config),
      types_(types),
      gguf_(file.format() == formats::FileFormat::gguf),
      names_(file, config),
      loader_(file, types.weights, ops, pool, mode, packed) {
  loader_.expect_scales(config.scale_block);
}

BiasRule NetworkBuilder::bias_rule(bool stated) const {
  if (gguf_) return BiasRule::optional;
  return stated ? BiasRule::required : BiasRule::none;
}

Result<Network> NetworkBuilder::build(const std::function<void(const LoadProgress&)>& on_progress,
                                      const std::atomic<bool>* stop) {
  Network network;
  const auto report = [&](std::int64_t layers) {
    if (!on_progress) return;
    on_progress({.layers_loaded = layers,
                 .layers_total = config_.n_layers,
                 .bytes_loaded = loader_.claims().bytes(),
                 .bytes_total = file_.tensor_bytes()});
  };
  report(0);
  LLM_RETURN_IF_ERROR(load_embedding(network.embedding));
  for (std::int64_t l = 0; l < config_.n_layers; ++l) {
    LLM_ASSIGN_OR_RETURN(Layer layer, load_layer(l));
    network.layers.push_back(std::move(layer));
    report(l + 1);
    if (stop != nullptr && stop->load()) {
      return Status(StatusCode::cancelled, "loading was stopped");
    }
  }
  LLM_ASSIGN_OR_RETURN(network.final_norm, norm(config_.names.final_norm, 0));
  LLM_RETURN_IF_ERROR(load_head(network));
  network.logit_softcap = static_cast<float>(config_.final_softcap);
  LLM_RETURN_IF_ERROR(names_.finish(loader_.claims()));
  return network;
}

Status NetworkBuilder::load_embedding(Embedding& embedding) {
  LLM_ASSIGN_OR_RETURN(const formats::TensorEntry* entry,
                       loader_.claims().claim(name(config_.names.embedding),
                                              {config_.vocab_size, config_.hidden_size}));
  const core::MappedFile& file = file_.files()[entry->file];
  embedding.file = file.reader();
  embedding.offset = static_cast<std::size_t>(entry->view.data - file.bytes().data());
  embedding.stored = entry->view.dtype;
  embedding.hidden_size = config_.hidden_size;
  embedding.rounded_to = types_.weights.value_or(entry->view.dtype);
  if (config_.spec->scale_embedding) {
    embedding.scale = embedding_scale(config_.hidden_size, types_.weights.value_or(DType::f32));
  }
  parameters_ += static_cast<std::uint64_t>(config_.vocab_size) *
                 static_cast<std::uint64_t>(config_.hidden_size);
  return {};
}

Status NetworkBuilder::load_head(Network& network) {
  const std::string lm_head = name(config_.names.lm_head);
  const bool tied = config_.tie_embeddings || file_.find(lm_head) == nullptr;
  network.tied_head = tied;
  const std::uint64_t before = loader_.parameters();
  LLM_ASSIGN_OR_RETURN(
      network.lm_head,
      loader_.group({{.name = tied ? name(config_.names.embedding) : lm_head,
                      .rows = config_.vocab_size,
                      .bias = tied ? BiasRule::none : bias_rule(config_.head_bias)}},
                    config_.hidden_size));
  if (tied) {
    loader_.claims().ignore(lm_head);  // a stored copy is not used, as in the reference
    parameters_ -= loader_.parameters() - before;
  }
  return {};
}

Result<Norm> NetworkBuilder::norm(std::string_view pattern, std::int64_t layer) {
  Norm norm{.kind = config_.spec->norm, .weight = {}, .bias = {}, .eps = config_.norm_eps};
  if (pattern.empty()) return norm;
  const std::string weight = name(pattern, layer);
  LLM_ASSIGN_OR_RETURN(norm.weight, loader_.vector(weight, config_.hidden_size));
  if (!gguf_) {
    for (float& value : norm.weight) value += config_.spec->hf_norm_offset;
  }
  if (norm.kind == NormKind::layer) {
    LLM_ASSIGN_OR_RETURN(norm.bias, loader_.vector(bias_name(weight), config_.hidden_size));
  }
  return norm;
}

Result<Norm> NetworkBuilder::head_norm(std::string_view pattern, std::int64_t layer,
                                       std::int64_t n_heads) {
  Norm norm{.kind = config_.spec->norm, .weight = {}, .bias = {}, .eps = config_.norm_eps};
  if (!config_.head_norms) return norm;
  const std::string weight = name(pattern, layer);
  if (is_per_head(weight)) {
    for (std::int64_t h = 0; h < n_heads; ++h) {
      LLM_ASSIGN_OR_RETURN(const auto values, loader_.vector(of_head(weight, h), config_.head_dim));
      norm.weight.insert(norm.weight.end(), values.begin(), values.end());
    }
    return norm;
  }
  const formats::TensorEntry* entry = file_.find(weight);
  const bool one_for_each = entry != nullptr && entry->view.shape.rank() == 2;
  LLM_ASSIGN_OR_RETURN(norm.weight, one_for_each ? loader_.matrix(weight, n_heads, config_.head_dim)
                                                 : loader_.vector(weight, config_.head_dim));
  if (!gguf_) {
    for (float& value : norm.weight) value += config_.spec->hf_norm_offset;
  }
  return norm;
}

Result<Layer> NetworkBuilder::load_layer(std::int64_t l) {
  const TensorNames& names = config_.names;
  Layer layer;
  layer.form = config_.form;
  LLM_ASSIGN_OR_RETURN(layer.attention_norm, norm(names.attention_norm, l));
  if (config_.mla.kv_latent > 0) {
    LLM_ASSIGN_OR_RETURN(layer.attention, load_latent_attention(l));
  } else {
    LLM_ASSIGN_OR_RETURN(layer.attention, load_attention(l));
  }
  LLM_ASSIGN_OR_RETURN(layer.post_attention_norm, norm(names.post_attention_norm, l));
  LLM_ASSIGN_OR_RETURN(layer.ffn_norm, norm(names.ffn_norm, l));
  if (config_.layers[static_cast<std::size_t>(l)].moe) {
    LLM_ASSIGN_OR_RETURN(layer.ffn, load_moe(l));
  } else {
    LLM_ASSIGN_OR_RETURN(layer.ffn, load_ffn(l));
  }
  LLM_ASSIGN_OR_RETURN(layer.post_ffn_norm, norm(names.post_ffn_norm, l));
  return layer;
}

Result<AttentionGqa> NetworkBuilder::load_attention(std::int64_t l) {
  AttentionGqa attention;
  const LayerConfig& layer = config_.layers[static_cast<std::size_t>(l)];
  attention.n_heads = static_cast<int>(config_.n_heads);
  attention.n_kv_heads = static_cast<int>(config_.n_kv_heads);
  attention.head_dim = static_cast<int>(config_.head_dim);
  attention.rope = layer.rope;
  attention.window = layer.window;
  attention.scale = config_.attention_scale > 0
                        ? static_cast<float>(config_.attention_scale)
                        : 1.0F / std::sqrt(static_cast<float>(config_.head_dim));
  attention.softcap = static_cast<float>(config_.attention_softcap);
  const std::int64_t q_rows = config_.n_heads * config_.head_dim;
  LLM_ASSIGN_OR_RETURN(attention.qkv, loader_.group(qkv_parts(l), config_.hidden_size));
  LLM_ASSIGN_OR_RETURN(attention.q_norm, head_norm(config_.names.q_norm, l, config_.n_heads));
  LLM_ASSIGN_OR_RETURN(attention.k_norm, head_norm(config_.names.k_norm, l, config_.n_kv_heads));
  LLM_ASSIGN_OR_RETURN(attention.output, loader_.group({{.name = name(config_.names.o, l),
                                                         .rows = config_.hidden_size,
                                                         .bias = bias_rule(config_.output_bias)}},
                                                       q_rows));
  return attention;
}

std::vector<LinearPart> NetworkBuilder::qkv_parts(std::int64_t l) const {
  const TensorNames& names = config_.names;
  const std::int64_t dim = config_.head_dim;
  const std::int64_t q_rows = config_.n_heads * dim;
  const std::int64_t kv_rows = config_.n_kv_heads * dim;
  const std::int64_t interleaved = gguf_ && config_.spec->gguf_interleaved_rope ? dim : 0;
  const BiasRule bias = bias_rule(config_.qkv_bias);
  if (!names.q.empty() && !has(names.qkv, l)) {
    return {{.name = name(names.q, l),
             .rows = q_rows,
             .bias = bias,
             .interleaved_head_dim = interleaved},
            {.name = name(names.k, l),
             .rows = kv_rows,
             .bias = bias,
             .interleaved_head_dim = interleaved},
            {.name = name(names.v, l), .rows = kv_rows, .bias = bias}};
  }
  const bool grouped = !gguf_ && config_.spec->hf_qkv_order == QkvOrder::grouped;
  const std::int64_t group = config_.n_heads / config_.n_kv_heads * dim;  // q rows of a kv head
  const std::int64_t period = group + 2 * dim;
  const auto part = [&](std::int64_t rows, std::int64_t head_dim, RowBlocks blocks) -> LinearPart {
    return {.name = name(names.qkv, l),
            .rows = rows,
            .bias = bias,
            .interleaved_head_dim = head_dim,
            .stored_rows = q_rows + 2 * kv_rows,
            .blocks = blocks};
  };
  if (grouped) {
    return {part(q_rows, 0, {.offset = 0, .block = group, .period = period}),
            part(kv_rows, 0, {.offset = group, .block = dim, .period = period}),
            part(kv_rows, 0, {.offset = group + dim, .block = dim, .period = period})};
  }
  return {part(q_rows, interleaved, {}), part(kv_rows, interleaved, {.offset = q_rows}),
          part(kv_rows, 0, {.offset = q_rows + kv_rows})};
}

Result<FfnDense> NetworkBuilder::load_ffn(std::int64_t l) {
  FfnDense ffn;
  ffn.kind = config_.spec->ffn;
  ffn.activation = config_.activation;
  LLM_ASSIGN_OR_RETURN(ffn.gate_up, loader_.group(gate_up_parts(l), config_.hidden_size));
  LLM_ASSIGN_OR_RETURN(ffn.down, loader_.group({{.name = name(config_.names.down, l),
                                                 .rows = config_.hidden_size,
                                                 .bias = bias_rule(config_.mlp_bias)}},
                                               config_.ffn_size));
  return ffn;
}

std::vector<LinearPart> NetworkBuilder::gate_up_parts(std::int64_t l) const {
  const TensorNames& names = config_.names;
  const std::int64_t size = config_.ffn_size;
  const BiasRule bias = bias_rule(config_.mlp_bias);
  const LinearPart up{.name = name(names.up, l), .rows = size, .bias = bias};
  if (config_.spec->ffn == FfnKind::plain) return {up};
  const bool fused = !names.gate_up.empty() && !has(names.gate, l);
  if (!fused) return {{.name = name(names.gate, l), .rows = size, .bias = bias}, up};
  const auto part = [&](std::int64_t offset) -> LinearPart {
    return {.name = name(names.gate_up, l),
            .rows = size,
            .bias = bias,
            .stored_rows = 2 * size,
            .blocks = {.offset = offset}};
  };
  return {part(0), part(size)};
}

}  // namespace llm::models
