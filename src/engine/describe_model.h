// ModelInfo of a model: of one that was loaded, or of one that could be, without loading it.
#pragma once

#include <memory>
#include <string>

#include "chat/chat_templates.h"
#include "formats/model_file.h"
#include "kernels/kernels.h"
#include "llm/engine.h"
#include "models/load.h"
#include "tokenizer/tokenizer.h"

namespace llm::engine {

/// ok, or which load option is out of range.
Status check_load_options(const LoadOptions& options);

/// What the options mean for the decoder, what the engine takes beside it included.
models::DecoderOptions decoder_options(const LoadOptions& options);

/// The same for a precision that is loaded beside the first one. It has packed weights of its own
/// where LoadOptions::packed_cache is a directory; a file is the first one's.
models::DecoderOptions decoder_options_beside(const LoadOptions& options, DType dtype);

/// A model file with its tokenizer and chat templates, opened before weights are read, and the
/// memory that they take.
struct OpenedModel {
  std::unique_ptr<formats::ModelFile> file;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  chat::ChatTemplates chat_templates;
  std::size_t program_bytes = 0;    ///< resident before
  std::size_t tokenizer_bytes = 0;  ///< of tokenizer and templates, on the heap
};
Result<OpenedModel> open_model(const std::string& path);

/// Everything but the end tokens; of memory, the decoder's.
ModelInfo describe_model(const formats::ModelFile& file, const models::LoadedModel& model,
                         const kernels::Ops& ops, int threads);

/// Completes a decoder's memory plan by what an engine takes beside it, but for what is measured
/// (MemoryPlan::tokenizer and program).
void add_engine_memory(const models::LoadedModel& model, const LoadOptions& options,
                       MemoryPlan& memory);

/// What load_model(path, options) would report if called now, memory plan included, without reading
/// the weights. Errors as load_model.
Result<ModelInfo> plan_model(const std::string& path, const LoadOptions& options);

}  // namespace llm::engine
