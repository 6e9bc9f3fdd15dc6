// describe_sources: by what a model's files are recognised again without reading them whole: name,
// size, time of the last change, and a sample of their bytes. The sample is for files whose times
// say nothing, as in images and archives that set all of them to one value.
#pragma once

#include <vector>

#include "formats/model_file.h"
#include "formats/packed_header.h"

namespace llm::formats {

/// The files with weights, and config.json where the model has one: it says how they are used.
Result<std::vector<PackedSource>> describe_sources(const ModelFile& model);

}  // namespace llm::formats
