// Configurations of tests/fixtures/models after a test has changed what their files say.
#pragma once

#include <functional>
#include <string>

#include "core/json.h"
#include "formats/gguf_metadata.h"
#include "models/config.h"

namespace llm::models {

/// That of a checkpoint after `edit` changed its config.json.
Result<ModelConfig> read_edited(const std::string& fixture,
                                const std::function<void(core::Json&)>& edit);

/// What a GGUF file consists of, for `edit`.
struct GgufParts {
  formats::GgufMetadata metadata;
  std::vector<formats::TensorEntry> tensors;  // views of the fixture's bytes

  void erase(std::string_view tensor);
};

/// That of a GGUF file, "<fixture>.gguf", after `edit` changed its metadata or took tensors away.
Result<ModelConfig> read_edited_gguf(const std::string& fixture,
                                     const std::function<void(GgufParts&)>& edit);

/// The configuration of config.json alone, without weights.
Result<ModelConfig> read_json(const core::Json& json);

}  // namespace llm::models
