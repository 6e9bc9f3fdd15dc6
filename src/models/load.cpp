#include "models/load.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "core/memory.h"
#include "models/network_builder.h"

namespace llm::models {
namespace {

constexpr std::int64_t kDefaultBatchRows = 512;
constexpr std::int64_t kMaxLogitRows = 64;
constexpr int kDefaultMaxSequences = 16;
constexpr double kKvShareOfFreeMemory = 0.8;

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

StepSizes sizes_of_step(const ModelConfig& config, std::int64_t max_rows) {
  StepSizes sizes;
  sizes.max_rows = std::max<std::int64_t>(max_rows, 1);
  sizes.max_logit_rows = std::min(sizes.max_rows, kMaxLogitRows);
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
  return sizes;
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

  std::vector<Rope> ropes;
  for (const RopeConfig& rope : config.ropes) ropes.emplace_back(rope);
  NetworkBuilder builder(file, config, model.types, ops, pool, mode);
  LLM_ASSIGN_OR_RETURN(Network network, builder.build(options.on_progress));
  model.parameters = builder.parameters();

  const kernels::KvShape kv_shape = shape_of_cache(config, model.types.kv);
  std::size_t available = core::available_memory().bytes;
  // Weights that were only planned are not resident yet.
  if (mode == LoadMode::plan) available -= std::min(available, network.bytes());
  LLM_ASSIGN_OR_RETURN(
      const std::int64_t pages,
      plan_pages(options, kv_bytes_per_page(config, kv_shape, ops), available, model));
  LLM_ASSIGN_OR_RETURN(KvCache cache, KvCache::create(ops, kv_shape, config.n_layers, pages));
  model.memory.kv_cache = cache.bytes();
  model.memory.kv_per_token = cache.page_bytes() * static_cast<std::size_t>(config.n_layers) /
                              static_cast<std::size_t>(kernels::kKvPageTokens);

  const StepSizes sizes = sizes_of_step(
      config, options.max_batch_rows > 0 ? options.max_batch_rows : kDefaultBatchRows);
  LLM_ASSIGN_OR_RETURN(model.decoder, Decoder::create(std::move(network), std::move(ropes),
                                                      std::move(cache), sizes, ops, pool));
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
  LLM_ASSIGN_OR_RETURN(LoadedModel model, build_decoder(file, options, ops, pool, LoadMode::plan));
  model.decoder.reset();
  return model;
}

}  // namespace llm::models
