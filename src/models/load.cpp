#include "models/load.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/log.h"
#include "core/memory.h"
#include "models/weight_loader.h"

namespace llm::models {
namespace {

constexpr std::int64_t kDefaultBatchRows = 512;
constexpr std::int64_t kMaxLogitRows = 64;
constexpr int kDefaultMaxSequences = 16;
constexpr double kKvShareOfFreeMemory = 0.8;

// Buffers that old checkpoints carry along; they hold no weights.
constexpr std::string_view kIgnoredSuffixes[] = {".rotary_emb.inv_freq", ".attention.bias",
                                                 ".attention.masked_bias"};

std::string at_layer(std::string_view pattern, std::int64_t layer) {
  std::string name(pattern);
  if (const auto place = name.find("{}"); place != std::string::npos) {
    name.replace(place, 2, std::to_string(layer));
  }
  return name;
}

// Builds the network of one configuration from the tensors of one file.
class NetworkBuilder {
 public:
  NetworkBuilder(const formats::ModelFile& file, const ModelConfig& config, const ModelTypes& types,
                 const kernels::Ops& ops, core::ThreadPool& pool, LoadMode mode)
      : file_(file),
        config_(config),
        types_(types),
        gguf_(file.format() == formats::FileFormat::gguf),
        names_(gguf_ ? config.spec->gguf_names : config.spec->hf_names),
        loader_(file, types.weights, ops, pool, mode) {}

  Result<Network> build(const std::function<void(const LoadProgress&)>& on_progress) {
    Network network;
    const auto report = [&](std::int64_t layers) {
      if (!on_progress) return;
      on_progress({.layers_loaded = layers,
                   .layers_total = config_.n_layers,
                   .bytes_loaded = loader_.claimed_bytes(),
                   .bytes_total = file_.tensor_bytes()});
    };
    report(0);
    LLM_RETURN_IF_ERROR(load_embedding(network.embedding));
    for (std::int64_t l = 0; l < config_.n_layers; ++l) {
      LLM_ASSIGN_OR_RETURN(Layer layer, load_layer(l));
      network.layers.push_back(std::move(layer));
      report(l + 1);
    }
    LLM_ASSIGN_OR_RETURN(network.final_norm, norm(std::string(names_.final_norm)));
    LLM_RETURN_IF_ERROR(load_head(network.lm_head));
    if (gguf_) loader_.ignore("rope_freqs.weight");  // read with the configuration
    LLM_RETURN_IF_ERROR(loader_.finish(kIgnoredSuffixes));
    return network;
  }

  std::uint64_t parameters() const { return parameters_ + loader_.parameters(); }

 private:
  Status load_embedding(Embedding& embedding) {
    LLM_ASSIGN_OR_RETURN(
        const formats::TensorEntry* entry,
        loader_.claim(names_.embedding, {config_.vocab_size, config_.hidden_size}));
    embedding.table = entry->view;
    embedding.rounded_to = types_.weights.value_or(entry->view.dtype);
    parameters_ += static_cast<std::uint64_t>(config_.vocab_size) *
                   static_cast<std::uint64_t>(config_.hidden_size);
    return {};
  }

  Status load_head(LinearGroup& head) {
    const bool tied = config_.tie_embeddings || file_.find(names_.lm_head) == nullptr;
    const std::string_view name = tied ? names_.embedding : names_.lm_head;
    const std::uint64_t before = loader_.parameters();
    LLM_ASSIGN_OR_RETURN(head,
                         loader_.group({{.name = std::string(name), .rows = config_.vocab_size}},
                                       config_.hidden_size));
    if (tied) {
      loader_.ignore(names_.lm_head);  // a stored copy is not used, as in the reference
      parameters_ -= loader_.parameters() - before;
    }
    return {};
  }

  Result<Norm> norm(const std::string& name) {
    LLM_ASSIGN_OR_RETURN(auto weight, loader_.vector(name, config_.hidden_size));
    return Norm{std::move(weight), config_.norm_eps};
  }

  BiasRule bias_rule(bool stated) const {
    if (gguf_) return BiasRule::optional;
    return stated ? BiasRule::required : BiasRule::none;
  }

  Result<Layer> load_layer(std::int64_t l) {
    Layer layer;
    const std::int64_t hidden = config_.hidden_size;
    const std::int64_t q_rows = config_.n_heads * config_.head_dim;
    const std::int64_t kv_rows = config_.n_kv_heads * config_.head_dim;
    const std::int64_t interleaved =
        gguf_ && config_.spec->gguf_interleaved_rope ? config_.head_dim : 0;
    const BiasRule attention_bias = bias_rule(config_.attention_bias);
    const BiasRule mlp_bias = bias_rule(config_.mlp_bias);
    const auto part = [&](std::string_view pattern, std::int64_t rows, BiasRule bias,
                          std::int64_t heads) -> LinearPart {
      return {at_layer(pattern, l), rows, bias, heads};
    };

    LLM_ASSIGN_OR_RETURN(layer.attention_norm, norm(at_layer(names_.attention_norm, l)));
    AttentionGqa& attention = layer.attention;
    attention.n_heads = static_cast<int>(config_.n_heads);
    attention.n_kv_heads = static_cast<int>(config_.n_kv_heads);
    attention.head_dim = static_cast<int>(config_.head_dim);
    attention.scale = 1.0F / std::sqrt(static_cast<float>(config_.head_dim));
    attention.window = config_.sliding_window;
    LLM_ASSIGN_OR_RETURN(attention.qkv,
                         loader_.group({part(names_.q, q_rows, attention_bias, interleaved),
                                        part(names_.k, kv_rows, attention_bias, interleaved),
                                        part(names_.v, kv_rows, attention_bias, 0)},
                                       hidden));
    LLM_ASSIGN_OR_RETURN(attention.output,
                         loader_.group({part(names_.o, hidden, attention_bias, 0)}, q_rows));

    LLM_ASSIGN_OR_RETURN(layer.ffn_norm, norm(at_layer(names_.ffn_norm, l)));
    LLM_ASSIGN_OR_RETURN(layer.ffn.gate_up,
                         loader_.group({part(names_.gate, config_.ffn_size, mlp_bias, 0),
                                        part(names_.up, config_.ffn_size, mlp_bias, 0)},
                                       hidden));
    LLM_ASSIGN_OR_RETURN(layer.ffn.down,
                         loader_.group({part(names_.down, hidden, mlp_bias, 0)}, config_.ffn_size));
    return layer;
  }

  const formats::ModelFile& file_;
  const ModelConfig& config_;
  const ModelTypes& types_;
  bool gguf_;
  const TensorNames& names_;
  WeightLoader loader_;
  std::uint64_t parameters_ = 0;
};

std::int64_t pages_for(std::int64_t positions) {
  return (positions + kernels::kKvPageTokens - 1) / kernels::kKvPageTokens;
}

std::size_t kv_bytes_per_page(const ModelConfig& config, const kernels::KvShape& shape,
                              const kernels::Ops& ops) {
  return ops.kv_page_bytes(shape) * static_cast<std::size_t>(config.n_layers);
}

// Pages of the cache: room for max_sequences full contexts, or as much as memory allows. A context
// that was asked for must fit at least once; one that was not is shortened to fit.
Result<std::int64_t> plan_pages(const DecoderOptions& options, std::size_t page_bytes,
                                std::size_t available, LoadedModel& model) {
  const auto budget =
      static_cast<std::size_t>(static_cast<double>(available) * kKvShareOfFreeMemory);
  const auto affordable = static_cast<std::int64_t>(budget / page_bytes);
  const std::int64_t one = pages_for(model.context);
  if (affordable < one) {
    if (options.context > 0 || affordable < 1) {
      return core::resource_exhausted(
          "context {}: its KV cache needs {} bytes, {} of {} free bytes may be used for it",
          model.context, static_cast<std::size_t>(one) * page_bytes, budget, available);
    }
    model.context = affordable * kernels::kKvPageTokens;
    core::log(core::LogLevel::warning,
              "context cut to {} positions, what {} free bytes of memory allow", model.context,
              available);
    return affordable;
  }
  return std::min(one * model.max_sequences, affordable);
}

Result<LoadedModel> build_decoder(const formats::ModelFile& file, const DecoderOptions& options,
                                  const kernels::Ops& ops, core::ThreadPool& pool, LoadMode mode) {
  LoadedModel model;
  LLM_ASSIGN_OR_RETURN(model.config, read_config(file));
  LLM_ASSIGN_OR_RETURN(model.types, resolve_types(file, options.dtype));
  const ModelConfig& config = model.config;

  if (options.context < 0 || options.context > config.max_positions) {
    return core::invalid_argument("context {}: expected 1..={}, what the model is made for",
                                  options.context, config.max_positions);
  }
  model.context = options.context > 0 ? options.context : config.max_positions;
  model.max_sequences = options.max_sequences > 0 ? options.max_sequences : kDefaultMaxSequences;

  const Rope rope(config.rope);
  NetworkBuilder builder(file, config, model.types, ops, pool, mode);
  LLM_ASSIGN_OR_RETURN(Network network, builder.build(options.on_progress));
  model.parameters = builder.parameters();

  const kernels::KvShape kv_shape{.dtype = model.types.kv,
                                  .n_kv_heads = static_cast<int>(config.n_kv_heads),
                                  .k_dim = static_cast<int>(config.head_dim),
                                  .v_dim = static_cast<int>(config.head_dim)};
  std::size_t available = core::available_memory();
  // Weights that were only planned are not resident yet.
  if (mode == LoadMode::plan) available -= std::min(available, network.bytes());
  LLM_ASSIGN_OR_RETURN(
      const std::int64_t pages,
      plan_pages(options, kv_bytes_per_page(config, kv_shape, ops), available, model));
  LLM_ASSIGN_OR_RETURN(KvCache cache, KvCache::create(ops, kv_shape, config.n_layers, pages));
  model.memory.kv_cache = cache.bytes();
  model.memory.kv_per_token = cache.page_bytes() * static_cast<std::size_t>(config.n_layers) /
                              static_cast<std::size_t>(kernels::kKvPageTokens);

  StepSizes sizes;
  sizes.max_rows = options.max_batch_rows > 0 ? options.max_batch_rows : kDefaultBatchRows;
  sizes.max_rows = std::max<std::int64_t>(sizes.max_rows, 1);
  sizes.max_logit_rows = std::min(sizes.max_rows, kMaxLogitRows);
  sizes.hidden_size = config.hidden_size;
  sizes.attention_inputs = (config.n_heads + 2 * config.n_kv_heads) * config.head_dim;
  sizes.attention_outputs = config.n_heads * config.head_dim;
  sizes.ffn_size = config.ffn_size;
  sizes.vocab_size = config.vocab_size;
  LLM_ASSIGN_OR_RETURN(
      model.decoder, Decoder::create(std::move(network), rope, std::move(cache), sizes, ops, pool));
  model.memory.weights = model.decoder->weight_bytes();
  model.memory.scratch = model.decoder->scratch_bytes();
  return model;
}

}  // namespace

Result<LoadedModel> load_decoder(const formats::ModelFile& file, const DecoderOptions& options,
                                 const kernels::Ops& ops, core::ThreadPool& pool) {
  return build_decoder(file, options, ops, pool, LoadMode::read);
}

Result<LoadedModel> plan_decoder(const formats::ModelFile& file, const DecoderOptions& options,
                                 const kernels::Ops& ops, core::ThreadPool& pool) {
  LLM_ASSIGN_OR_RETURN(LoadedModel model,
                       build_decoder(file, options, ops, pool, LoadMode::plan));
  model.decoder.reset();
  return model;
}

}  // namespace llm::models
