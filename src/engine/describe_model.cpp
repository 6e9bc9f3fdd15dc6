#include "engine/describe_model.h"

#include <cmath>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "core/memory.h"
#include "core/thread_pool.h"
#include "engine/block_manager.h"
#include "engine/eos_tokens.h"
#include "engine/load_chat_templates.h"
#include "engine/no_tokenizer.h"
#include "engine/row_choices.h"
#include "engine/sequence.h"

namespace llm::engine {
namespace {

// What requests hold themselves: their tokens and page tables, as long as the context allows. Text
// and events belong to whoever takes them.
std::size_t request_bytes(const LoadOptions& options, std::int64_t context, int sequences) {
  const auto requests = static_cast<std::size_t>(sequences + options.max_queue);
  const auto ids = static_cast<std::size_t>(context + BlockManager::pages_for(context));
  return requests * (sizeof(Sequence) + ids * sizeof(std::int32_t));
}

int threads_of(const LoadOptions& options) {
  return options.threads > 0 ? options.threads : core::default_thread_count();
}

}  // namespace

Status check_load_options(const LoadOptions& options) {
  if (options.device != "cpu" && options.device != "cpu:0") {
    return core::invalid_argument("device {}: this build runs on cpu", options.device);
  }
  if (options.threads < 0 || options.threads > 1024) {
    return core::invalid_argument("threads must be 0..=1024 (got {})", options.threads);
  }
  if (options.max_sequences < 0 || options.max_sequences > 4096) {
    return core::invalid_argument("max_sequences must be 0..=4096 (got {})", options.max_sequences);
  }
  if (options.max_batch_rows < 0 || options.max_batch_rows > 65536) {
    return core::invalid_argument("max_batch_rows must be 0..=65536 (got {})",
                                  options.max_batch_rows);
  }
  if (options.max_queue < 0 || options.max_queue > 1000000) {
    return core::invalid_argument("max_queue must be 0..=1000000 (got {})", options.max_queue);
  }
  if (!(options.max_token_gap_ms >= 0) || !std::isfinite(options.max_token_gap_ms)) {
    return core::invalid_argument("max_token_gap_ms must be at least 0 (got {})",
                                  options.max_token_gap_ms);
  }
  return {};
}

models::DecoderOptions decoder_options(const LoadOptions& options) {
  const auto other = [options](const models::ModelConfig& config, std::int64_t context,
                               int sequences) {
    return RowChoices::bytes_for(config.vocab_size, sequences, threads_of(options)) +
           request_bytes(options, context, sequences);
  };
  std::optional<std::size_t> max_weights;
  if (options.max_weights_bytes > 0) max_weights = options.max_weights_bytes;
  return {.dtype = options.dtype,
          .kv_dtype = options.kv_dtype,
          .context = options.context,
          .max_sequences = options.max_sequences,
          .max_batch_rows = options.max_batch_rows,
          .kv_cache_bytes = options.kv_cache_bytes,
          .max_weights = max_weights,
          .other_bytes = other,
          .other_bytes_per_page = BlockManager::bytes_for(1),
          .packed_cache = options.packed_cache,
          .on_progress = options.on_progress};
}

models::DecoderOptions decoder_options_beside(const LoadOptions& options, DType dtype) {
  models::DecoderOptions beside = decoder_options(options);
  beside.dtype = to_string(dtype);
  std::error_code error;
  if (!std::filesystem::is_directory(options.packed_cache, error)) beside.packed_cache.clear();
  return beside;
}

Result<OpenedModel> open_model(const std::string& path) {
  OpenedModel opened;
  const core::ResidentMemory resident = core::resident_memory();
  opened.program_bytes = resident.anonymous + resident.file;
  LLM_ASSIGN_OR_RETURN(formats::ModelFile file, formats::ModelFile::open(path));
  opened.file = std::make_unique<formats::ModelFile>(std::move(file));
  const std::size_t before = core::heap_bytes();
  LLM_ASSIGN_OR_RETURN(opened.tokenizer, tokenizer_or_none(*opened.file));
  LLM_ASSIGN_OR_RETURN(opened.chat_templates, load_chat_templates(*opened.file));
  opened.tokenizer_bytes = core::heap_bytes() - std::min(before, core::heap_bytes());
  return opened;
}

void add_engine_memory(const models::LoadedModel& model, const LoadOptions& options,
                       MemoryPlan& memory) {
  memory.scratch +=
      RowChoices::bytes_for(model.config.vocab_size, model.max_sequences, threads_of(options));
  memory.tables = BlockManager::bytes_for(model.kv_pages) +
                  request_bytes(options, model.context, model.max_sequences);
}

ModelInfo describe_model(const formats::ModelFile& file, const models::LoadedModel& model,
                         const kernels::Ops& ops, int threads) {
  ModelInfo info;
  std::filesystem::path path = file.path();
  if (!path.has_filename()) path = path.parent_path();  // "models/demo/"
  info.name = path.filename().string();
  info.path = path.string();
  info.format = formats::to_string(file.format());
  info.device = "cpu";
  info.instruction_set = ops.name;
  info.threads = threads;
  info.trained_context_length = model.config.max_positions;
  info.max_sequences = model.max_sequences;
  info.memory = model.memory;
  ModelCapabilities& capabilities = info.capabilities;
  capabilities.architecture_family = model.config.spec->family;
  capabilities.dtype = model.types.reported;
  capabilities.kv_dtype = model.types.kv;
  capabilities.kv_dtype_named = model.types.kv_named;
  capabilities.supported_dtypes = model.types.supported;
  capabilities.is_quantized = model.types.quantized;
  capabilities.max_context_length = model.context;
  capabilities.vocab_size = model.config.vocab_size;
  capabilities.parameters = model.parameters;
  return info;
}

Result<ModelInfo> plan_model(const std::string& path, const LoadOptions& options) {
  LLM_RETURN_IF_ERROR(check_load_options(options));
  LLM_ASSIGN_OR_RETURN(const kernels::Ops* ops, kernels::select_ops(options.instruction_set));
  LLM_ASSIGN_OR_RETURN(const OpenedModel opened, open_model(path));
  core::ThreadPool pool(threads_of(options));
  LLM_ASSIGN_OR_RETURN(const models::LoadedModel model,
                       models::plan_decoder(*opened.file, decoder_options(options), *ops, pool));
  ModelInfo info = describe_model(*opened.file, model, *ops, pool.size());
  add_engine_memory(model, options, info.memory);
  info.memory.tokenizer = opened.tokenizer_bytes;
  info.memory.program = opened.program_bytes;
  LLM_ASSIGN_OR_RETURN(info.capabilities.eos_tokens,
                       find_eos_tokens(*opened.file, *opened.tokenizer, model.config.vocab_size));
  return info;
}

}  // namespace llm::engine
