#include <filesystem>

#include "core/error.h"
#include "core/log.h"
#include "engine/eos_tokens.h"
#include "engine/load_tokenizer.h"
#include "engine/local_engine.h"
#include "kernels/kernels.h"

namespace llm {
namespace {

ModelInfo describe(const engine::LoadedParts& parts, const kernels::Ops& ops) {
  const models::LoadedModel& model = parts.model;
  ModelInfo info;
  std::filesystem::path path = parts.file->path();
  if (!path.has_filename()) path = path.parent_path();  // "models/demo/"
  info.name = path.filename().string();
  info.path = path.string();
  info.format = formats::to_string(parts.file->format());
  info.device = "cpu";
  info.instruction_set = ops.name;
  info.threads = parts.pool->size();
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

}  // namespace

Result<std::unique_ptr<Engine>> load_model(const std::string& path, const LoadOptions& options) {
  if (options.device != "cpu" && options.device != "cpu:0") {
    return core::invalid_argument("device {}: this build runs on cpu", options.device);
  }
  if (options.threads < 0 || options.threads > 1024) {
    return core::invalid_argument("threads must be 0..=1024 (got {})", options.threads);
  }
  if (options.max_sequences < 0 || options.max_sequences > 4096) {
    return core::invalid_argument("max_sequences must be 0..=4096 (got {})",
                                  options.max_sequences);
  }
  if (options.max_batch_rows < 0 || options.max_batch_rows > 65536) {
    return core::invalid_argument("max_batch_rows must be 0..=65536 (got {})",
                                  options.max_batch_rows);
  }
  LLM_ASSIGN_OR_RETURN(const kernels::Ops* ops, kernels::select_ops(options.instruction_set));

  engine::LoadedParts parts;
  LLM_ASSIGN_OR_RETURN(formats::ModelFile file, formats::ModelFile::open(path));
  parts.file = std::make_unique<formats::ModelFile>(std::move(file));
  LLM_ASSIGN_OR_RETURN(parts.tokenizer, engine::load_tokenizer(*parts.file));
  const int threads = options.threads > 0 ? options.threads : core::default_thread_count();
  parts.pool = std::make_unique<core::ThreadPool>(threads);
  const models::DecoderOptions decoder_options{.dtype = options.dtype,
                                               .context = options.context,
                                               .max_sequences = options.max_sequences,
                                               .max_batch_rows = options.max_batch_rows,
                                               .on_progress = options.on_progress};
  LLM_ASSIGN_OR_RETURN(parts.model,
                       models::load_decoder(*parts.file, decoder_options, *ops, *parts.pool));
  if (parts.tokenizer->vocab_size() > parts.model.config.vocab_size) {
    core::log(core::LogLevel::warning,
              "the tokenizer knows {} tokens, the model has rows for {}: prompts that use the "
              "others are refused",
              parts.tokenizer->vocab_size(), parts.model.config.vocab_size);
  }
  LLM_ASSIGN_OR_RETURN(parts.texts, engine::find_model_texts(*parts.file, *parts.tokenizer));
  parts.info = describe(parts, *ops);
  LLM_ASSIGN_OR_RETURN(
      parts.info.capabilities.eos_tokens,
      engine::find_eos_tokens(*parts.file, *parts.tokenizer, parts.model.config.vocab_size));
  core::log(core::LogLevel::info,
            "loaded {} ({}, {}): dtype {}, {} parameters, context {}, {} threads, {} kernels",
            parts.info.name, parts.info.capabilities.architecture_family, parts.info.format,
            to_string(parts.info.capabilities.dtype), parts.info.capabilities.parameters,
            parts.info.capabilities.max_context_length, parts.info.threads,
            parts.info.instruction_set);
  return std::unique_ptr<Engine>(std::make_unique<engine::LocalEngine>(std::move(parts)));
}

}  // namespace llm
