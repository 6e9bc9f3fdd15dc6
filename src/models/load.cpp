#include "models/load.h"

#include <algorithm>

#include "core/error.h"
#include "core/memory.h"
#include "models/memory_plan.h"
#include "models/network_builder.h"
#include "models/packed_weights.h"

namespace llm::models {
namespace {

// Rows of logits computed at a time: enough to make good use of the output head when a whole prompt
// is asked for, and all decoding sequences up to a number where more would not help any further.
constexpr std::int64_t kLeastLogitRows = 32;
constexpr std::int64_t kMostLogitRows = 64;

// Of one layer: keys and values of every kv head, or the latent and the rotated key part.
kernels::KvShape shape_of_cache(const ModelConfig& config, DType dtype) {
  if (config.mla.kv_latent > 0) {
    return {.dtype = dtype,
            .n_kv_heads = 1,
            .k_dim = static_cast<int>(config.mla.kv_latent + config.mla.rope_dim),
            .v_dim = static_cast<int>(config.mla.kv_latent),
            .values_in_keys = true};
  }
  return {.dtype = dtype,
          .n_kv_heads = static_cast<int>(config.n_kv_heads),
          .k_dim = static_cast<int>(config.head_dim),
          .v_dim = static_cast<int>(config.head_dim)};
}

StepSizes sizes_of_step(const ModelConfig& config, const Network& network, const kernels::Ops& ops,
                        std::int64_t max_rows, std::int64_t sequences) {
  StepSizes sizes;
  sizes.max_rows = max_rows;
  sizes.max_logit_rows = std::min(max_rows, std::clamp(sequences, kLeastLogitRows, kMostLogitRows));
  sizes.hidden_size = config.hidden_size;
  sizes.attention_inputs = (config.n_heads + 2 * config.n_kv_heads) * config.head_dim;
  sizes.attention_outputs = config.n_heads * config.head_dim;
  if (const MlaConfig& mla = config.mla; mla.kv_latent > 0) {
    sizes.mla_heads = config.n_heads;
    sizes.mla_q_latent = mla.q_latent;
    sizes.mla_kv_latent = mla.kv_latent;
    sizes.mla_q_head = mla.nope_dim + mla.rope_dim;
    sizes.mla_k_dim = mla.kv_latent + mla.rope_dim;
    const std::int64_t queries =
        mla.q_latent > 0 ? mla.q_latent : config.n_heads * sizes.mla_q_head;
    sizes.attention_inputs = queries + sizes.mla_k_dim;
    sizes.attention_outputs = config.n_heads * mla.v_dim;
  }
  sizes.ffn_size = std::max({config.ffn_size, config.moe.ffn_size, config.moe.shared_ffn_size});
  sizes.n_experts = config.moe.n_experts;
  sizes.experts_used = config.moe.n_used;
  sizes.vocab_size = config.vocab_size;
  for (const Layer& layer : network.layers) {
    sizes.uses_branch |= layer.post_attention_norm.present() || layer.post_ffn_norm.present() ||
                         (layer.form == LayerForm::parallel && layer.ffn_norm.present());
  }
  network.for_each_group([&](const LinearGroup& group) {
    for (const Linear& member : group.members()) {
      const kernels::InputFormat format = member.matrix.input;
      // Rows of f32 are read where they are unless the kernels want them padded.
      const std::int64_t cols = member.matrix.cols;
      if (format == kernels::InputFormat::f32 &&
          ops.input_row_bytes(format, cols) == static_cast<std::size_t>(cols) * sizeof(float)) {
        continue;
      }
      sizes.formats[static_cast<std::size_t>(format)] = true;
    }
  });
  return sizes;
}

std::vector<Rope> make_ropes(const ModelConfig& config) {
  std::vector<Rope> ropes;
  for (const RopeConfig& rope : config.ropes) ropes.emplace_back(rope);
  return ropes;
}

using Matrices = std::vector<formats::PackedMatrixEntry>;

Result<LoadedModel> plan(const formats::ModelFile& file, const DecoderOptions& options,
                         const kernels::Ops& ops, core::ThreadPool& pool, Matrices& matrices) {
  LoadedModel model;
  LLM_ASSIGN_OR_RETURN(model.config, read_config(file));
  LLM_ASSIGN_OR_RETURN(model.types, resolve_types(file, options.dtype));
  LLM_RETURN_IF_ERROR(set_kv_dtype(model.types, options.kv_dtype));
  const ModelConfig& config = model.config;
  NetworkBuilder builder(file, config, model.types, ops, pool, LoadMode::plan);
  LLM_ASSIGN_OR_RETURN(const Network network, builder.build({}));
  model.parameters = builder.parameters();
  matrices = builder.take_matrices();
  model.expert_bytes = network.expert_bytes();

  if (options.max_weights && network.bytes() > *options.max_weights) {
    return core::resource_exhausted("the weights take {} bytes as {}, allowed for them are {}",
                                    network.bytes(), to_string(model.types.reported),
                                    *options.max_weights)
        .with_shortage({network.bytes(), *options.max_weights});
  }

  const kernels::KvShape kv_shape = shape_of_cache(config, model.types.kv);
  const std::vector<Rope> ropes = make_ropes(config);
  const std::size_t page = ops.kv_page_bytes(kv_shape) * static_cast<std::size_t>(config.n_layers);
  const auto scratch = [&](std::int64_t rows, int sequences) {
    return Decoder::scratch_bytes_for(network, kv_shape,
                                      sizes_of_step(config, network, ops, rows, sequences), ropes,
                                      ops, pool.size());
  };
  const auto other = [&](std::int64_t context, int sequences) {
    return options.other_bytes ? options.other_bytes(config, context, sequences) : 0;
  };
  LLM_ASSIGN_OR_RETURN(const MemoryDivision division,
                       divide_memory({.context = options.context,
                                      .sequences = options.max_sequences,
                                      .batch_rows = options.max_batch_rows,
                                      .kv_cache_bytes = options.kv_cache_bytes},
                                     {.max_positions = config.max_positions,
                                      .weights = network.bytes(),
                                      .page = page,
                                      .tables_per_page = options.other_bytes_per_page,
                                      .other = other,
                                      .scratch = scratch},
                                     options.available.value_or(core::available_memory())));
  model.context = division.context;
  model.max_sequences = division.sequences;
  model.max_rows = division.batch_rows;
  model.kv_pages = division.pages;
  model.memory.weights = network.bytes();
  model.memory.kv_per_token = page / static_cast<std::size_t>(kernels::kKvPageTokens);
  model.memory.kv_cache = KvCache::bytes_for(ops, kv_shape, config.n_layers, model.kv_pages);
  LLM_ASSIGN_OR_RETURN(model.memory.scratch, scratch(model.max_rows, model.max_sequences));
  return model;
}

// The network, with its matrices out of the file of packed weights where that is there and fits.
Result<Network> build_with_packed(const formats::ModelFile& file, const DecoderOptions& options,
                                  const kernels::Ops& ops, core::ThreadPool& pool,
                                  Matrices matrices, const LoadedModel& model) {
  const auto path = packed_cache_path(options.packed_cache, file, model.types, ops);
  LLM_ASSIGN_OR_RETURN(PackedWeights packed,
                       PackedWeights::open(path, file, model.types, ops, std::move(matrices)));
  NetworkBuilder builder(file, model.config, model.types, ops, pool, LoadMode::read, &packed);
  LLM_ASSIGN_OR_RETURN(Network network, builder.build(options.on_progress, options.stop));
  LLM_ASSIGN_OR_RETURN(network.packed, packed.finish());
  return network;
}

}  // namespace

Result<LoadedModel> plan_decoder(const formats::ModelFile& file, const DecoderOptions& options,
                                 const kernels::Ops& ops, core::ThreadPool& pool) {
  Matrices matrices;
  return plan(file, options, ops, pool, matrices);
}

Result<LoadedModel> load_decoder(const formats::ModelFile& file, const DecoderOptions& options,
                                 const kernels::Ops& ops, core::ThreadPool& pool) {
  Matrices matrices;
  LLM_ASSIGN_OR_RETURN(LoadedModel model, plan(file, options, ops, pool, matrices));
  const ModelConfig& config = model.config;
  core::ThreadPool& loading = options.loading_pool != nullptr ? *options.loading_pool : pool;
  Network network;
  if (options.packed_cache.empty()) {
    NetworkBuilder builder(file, config, model.types, ops, loading, LoadMode::read);
    LLM_ASSIGN_OR_RETURN(network, builder.build(options.on_progress, options.stop));
  } else {
    LLM_ASSIGN_OR_RETURN(
        network, build_with_packed(file, options, ops, loading, std::move(matrices), model));
  }
  LLM_ASSIGN_OR_RETURN(KvCache cache, KvCache::create(ops, shape_of_cache(config, model.types.kv),
                                                      config.n_layers, model.kv_pages));
  const StepSizes sizes = sizes_of_step(config, network, ops, model.max_rows, model.max_sequences);
  LLM_ASSIGN_OR_RETURN(model.decoder, Decoder::create(std::move(network), make_ropes(config),
                                                      std::move(cache), sizes, ops, pool));
  return model;
}

}  // namespace llm::models
