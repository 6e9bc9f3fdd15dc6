#include "core/log.h"
#include "engine/describe_model.h"
#include "engine/eos_tokens.h"
#include "engine/load_chat_templates.h"
#include "engine/local_engine.h"
#include "engine/no_tokenizer.h"
#include "kernels/kernels.h"

namespace llm {

Result<std::unique_ptr<Engine>> load_model(const std::string& path, const LoadOptions& options) {
  LLM_RETURN_IF_ERROR(engine::check_load_options(options));
  LLM_ASSIGN_OR_RETURN(const kernels::Ops* ops, kernels::select_ops(options.instruction_set));

  engine::LoadedParts parts;
  LLM_ASSIGN_OR_RETURN(formats::ModelFile file, formats::ModelFile::open(path));
  parts.file = std::make_unique<formats::ModelFile>(std::move(file));
  // Before the weights: a broken tokenizer is found in a moment, weights take a while.
  LLM_ASSIGN_OR_RETURN(parts.tokenizer, engine::tokenizer_or_none(*parts.file));
  LLM_ASSIGN_OR_RETURN(parts.chat_templates, engine::load_chat_templates(*parts.file));
  for (const Status& problem : parts.chat_templates.problems()) {
    core::log(core::LogLevel::warning, "the chat template does not work: {}", problem.message());
  }
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
  parts.info = engine::describe_model(*parts.file, parts.model, *ops, parts.pool->size());
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
