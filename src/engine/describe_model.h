// ModelInfo of a model: of one that was loaded, or of one that could be, without loading it.
#pragma once

#include <string>

#include "formats/model_file.h"
#include "kernels/kernels.h"
#include "llm/engine.h"
#include "models/load.h"

namespace llm::engine {

/// ok, or which load option is out of range.
Status check_load_options(const LoadOptions& options);

/// Everything but the end tokens.
ModelInfo describe_model(const formats::ModelFile& file, const models::LoadedModel& model,
                         const kernels::Ops& ops, int threads);

/// What load_model(path, options) would report if called now, memory plan included, without reading
/// the weights. Errors as load_model.
Result<ModelInfo> plan_model(const std::string& path, const LoadOptions& options);

}  // namespace llm::engine
