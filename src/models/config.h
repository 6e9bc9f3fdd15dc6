// ModelConfig: the hyperparameters of one model, read from config.json (with the class defaults of
// its architecture where keys are absent) or from GGUF metadata, and validated: every number is in
// a range that later arithmetic can rely on. Plain value type.
#pragma once

#include <cstdint>

#include "formats/model_file.h"
#include "llm/status.h"
#include "models/rope.h"
#include "models/spec.h"

namespace llm::models {

struct ModelConfig {
  const ArchSpec* spec = nullptr;
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t ffn_size = 0;  ///< intermediate_size
  std::int64_t n_layers = 0;
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_positions = 0;   ///< longest sequence the model is meant for
  std::int64_t sliding_window = 0;  ///< 0: none
  float norm_eps = 1e-6F;
  bool tie_embeddings = false;
  /// Whether biases must be there (config.json says so); GGUF: decided by their presence.
  bool attention_bias = false;
  bool mlp_bias = false;
  RopeConfig rope;
};

/// The configuration of an opened model file; errors name file and key.
Result<ModelConfig> read_config(const formats::ModelFile& file);

// The two sources, used by read_config().
Result<ModelConfig> config_from_hf(const formats::ModelFile& file);
Result<ModelConfig> config_from_gguf(const formats::ModelFile& file);
/// Checks ranges and relations; `where` names the source in errors.
Status validate_config(const ModelConfig& config, std::string_view where);

}  // namespace llm::models
