#include "engine/describe_model.h"

#include <filesystem>

#include "core/error.h"
#include "core/log.h"
#include "core/thread_pool.h"
#include "engine/eos_tokens.h"
#include "engine/no_tokenizer.h"

namespace llm::engine {

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
  return {};
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
  LLM_ASSIGN_OR_RETURN(const formats::ModelFile file, formats::ModelFile::open(path));
  core::ThreadPool pool(options.threads > 0 ? options.threads : core::default_thread_count());
  const models::DecoderOptions decoder_options{.dtype = options.dtype,
                                               .context = options.context,
                                               .max_sequences = options.max_sequences,
                                               .max_batch_rows = options.max_batch_rows,
                                               .on_progress = {}};
  LLM_ASSIGN_OR_RETURN(const models::LoadedModel model,
                       models::plan_decoder(file, decoder_options, *ops, pool));
  ModelInfo info = describe_model(file, model, *ops, pool.size());
  LLM_ASSIGN_OR_RETURN(const auto tokenizer, tokenizer_or_none(file));
  LLM_ASSIGN_OR_RETURN(info.capabilities.eos_tokens,
                       find_eos_tokens(file, *tokenizer, model.config.vocab_size));
  return info;
}

}  // namespace llm::engine
