#include "core/log.h"
#include "core/memory.h"
#include "engine/describe_model.h"
#include "engine/engine_set.h"
#include "engine/eos_tokens.h"
#include "kernels/kernels.h"

namespace llm {
namespace engine {

Result<LoadedParts> load_parts(const std::string& path, const LoadOptions& options) {
  LLM_RETURN_IF_ERROR(check_load_options(options));
  LLM_ASSIGN_OR_RETURN(const kernels::Ops* ops, kernels::select_ops(options.instruction_set));

  LoadedParts parts{.shared = std::make_shared<SharedParts>()};
  SharedParts& shared = *parts.shared;
  shared.ops = ops;
  // Tokenizer and chat templates come with it, before the weights: what is broken there is found in
  // a moment, weights take a while.
  LLM_ASSIGN_OR_RETURN(OpenedModel opened, open_model(path));
  for (const Status& problem : opened.chat_templates.problems()) {
    core::log(core::LogLevel::warning, "the chat template does not work: {}", problem.message());
  }
  const int threads = options.threads > 0 ? options.threads : core::default_thread_count();
  shared.pool = std::make_unique<core::ThreadPool>(threads);
  LLM_ASSIGN_OR_RETURN(parts.model, models::load_decoder(*opened.file, decoder_options(options),
                                                         *ops, *shared.pool));
  if (opened.tokenizer->vocab_size() > parts.model.config.vocab_size) {
    core::log(core::LogLevel::warning,
              "the tokenizer knows {} tokens, the model has rows for {}: prompts that use the "
              "others are refused",
              opened.tokenizer->vocab_size(), parts.model.config.vocab_size);
  }
  parts.info = describe_model(*opened.file, parts.model, *ops, shared.pool->size());
  add_engine_memory(parts.model, options, parts.info.memory);
  parts.info.memory.tokenizer = opened.tokenizer_bytes;
  parts.info.memory.program = opened.program_bytes;
  LLM_ASSIGN_OR_RETURN(
      parts.info.capabilities.eos_tokens,
      find_eos_tokens(*opened.file, *opened.tokenizer, parts.model.config.vocab_size));
  core::log(core::LogLevel::info,
            "loaded {} ({}, {}): dtype {}, KV cache {}, {} parameters, context {}, {} threads, {} "
            "kernels",
            parts.info.name, parts.info.capabilities.architecture_family, parts.info.format,
            to_string(parts.info.capabilities.dtype), to_string(parts.info.capabilities.kv_dtype),
            parts.info.capabilities.parameters, parts.info.capabilities.max_context_length,
            parts.info.threads, parts.info.instruction_set);
  shared.tokenizer = std::move(opened.tokenizer);
  shared.chat_templates = std::move(opened.chat_templates);
  // Only other precisions need the file again.
  if (parts.info.capabilities.supported_dtypes.size() > 1) shared.file = std::move(opened.file);
  return parts;
}

}  // namespace engine

Result<std::unique_ptr<Engine>> load_model(const std::string& path, const LoadOptions& options) {
  LLM_ASSIGN_OR_RETURN(engine::LoadedParts parts, engine::load_parts(path, options));
  // What loading needed for a while is not kept.
  core::release_free_heap();
  return std::unique_ptr<Engine>(std::make_unique<engine::EngineSet>(std::move(parts), options));
}

}  // namespace llm
