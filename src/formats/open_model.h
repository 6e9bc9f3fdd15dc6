// The two openers behind ModelFile::open: from a path to checked contents.
#pragma once

#include <filesystem>

#include "formats/model_file.h"
#include "llm/status.h"

namespace llm::formats {

/// `path` is a directory or a .safetensors file. A tensor that is in two shards, or not in the
/// shard that the index names, is an error, as is an index that leaves its directory.
Result<ModelContents> open_safetensors(const std::filesystem::path& path, bool with_config);

/// `path` is a .gguf file; of a split model any part, the others are found beside it.
Result<ModelContents> open_gguf(const std::filesystem::path& path);

}  // namespace llm::formats
