// GgufExport: what a GGUF file has to say about a model so that a reader finds the same
// ModelConfig again: the inverse of config_gguf.cpp. GGUF has no place for everything that
// config.json can state; what export_config() leaves out is found by reading the result back
// (config_difference.h), not here.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "formats/gguf_metadata.h"
#include "llm/status.h"
#include "models/config.h"

namespace llm::models {

struct GgufExport {
  std::string architecture;  ///< general.architecture, and the prefix of the model's keys
  TensorNames names;         ///< of the tensors in GGUF
  formats::GgufMetadata metadata;
  /// Tensors that are part of the configuration: name and values.
  std::vector<std::pair<std::string, std::vector<float>>> vectors;
  /// What this program reads back, but other readers of GGUF are known not to use.
  std::vector<std::string> warnings;

  std::string key(std::string_view name) const { return architecture + "." + std::string(name); }
  void set(std::string_view name, formats::GgufValue value) {
    metadata.set(key(name), std::move(value));
  }
};

/// `config` is that of a safetensors model. Unsupported: an architecture that GGUF has no name for,
/// or a kind of rope scaling that it lacks.
Result<GgufExport> export_config(const ModelConfig& config);

}  // namespace llm::models
