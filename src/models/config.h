// ModelConfig: the hyperparameters of one model, read from config.json (with the class defaults of
// its architecture where keys are absent) or from GGUF metadata, and validated: every number is in
// a range that later arithmetic can rely on. Plain value type.
#pragma once

#include <cstdint>
#include <vector>

#include "formats/model_file.h"
#include "llm/status.h"
#include "models/block_scales.h"
#include "models/expert_routing.h"
#include "models/rope.h"
#include "models/spec.h"

namespace llm::models {

/// Mixture of experts: how many there are and how a token chooses among them.
struct MoeConfig {
  std::int64_t n_experts = 0;        ///< 0: the model has none
  std::int64_t n_used = 0;           ///< experts per token
  std::int64_t ffn_size = 0;         ///< of one expert
  std::int64_t shared_ffn_size = 0;  ///< of the expert that every token uses; 0: there is none
  ExpertRouting routing;
};

/// Multi-head latent attention; kv_latent 0: the model has ordinary attention.
struct MlaConfig {
  std::int64_t q_latent = 0;  ///< 0: queries are made directly
  std::int64_t kv_latent = 0;
  std::int64_t nope_dim = 0;  ///< components of a head that do not rotate
  std::int64_t rope_dim = 0;
  std::int64_t v_dim = 0;
};

/// What may differ from layer to layer.
struct LayerConfig {
  bool moe = false;         ///< experts instead of one feed-forward network
  std::int64_t window = 0;  ///< last positions seen, the own one included; 0: all
  int rope = 0;             ///< index into ModelConfig::ropes, or kNoRope
};

struct ModelConfig {
  const ArchSpec* spec = nullptr;
  TensorNames names;  ///< in this file
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t ffn_size = 0;  ///< intermediate_size
  std::int64_t n_layers = 0;
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_positions = 0;  ///< longest sequence the model is meant for
  float norm_eps = 1e-6F;
  bool tie_embeddings = false;
  LayerForm form = LayerForm::sequential;
  kernels::Activation activation = kernels::Activation::silu;
  double attention_scale = 0;    ///< of q.k; 0: head_dim ^ -0.5
  double attention_softcap = 0;  ///< 0: none
  double final_softcap = 0;      ///< of the logits; 0: none
  bool head_norms = false;       ///< norms of every q and k head
  /// Whether biases must be there (config.json says so); GGUF: decided by their presence.
  bool qkv_bias = false;
  bool output_bias = false;
  bool mlp_bias = false;
  bool head_bias = false;
  MoeConfig moe;
  MlaConfig mla;
  ScaleBlock scale_block;           ///< of weights stored as 8-bit floats
  std::int64_t extra_layers = 0;    ///< stored behind the model's layers, for training; not used
  std::vector<RopeConfig> ropes;    ///< [0] is that of layers that see the whole sequence
  std::vector<LayerConfig> layers;  ///< (n_layers)

  RopeConfig& rope() { return ropes.front(); }
  const RopeConfig& rope() const { return ropes.front(); }
};

/// The configuration of an opened model file; errors name file and key.
Result<ModelConfig> read_config(const formats::ModelFile& file);

// The two sources, used by read_config().
Result<ModelConfig> config_from_hf(const formats::ModelFile& file);
Result<ModelConfig> config_from_gguf(const formats::ModelFile& file);
/// Checks ranges and relations; `where` names the source in errors.
Status validate_config(const ModelConfig& config, std::string_view where);
/// Checks what arithmetic on the way to a whole configuration relies on.
Status validate_width(const ModelConfig& config, std::string_view where);
/// Fills `layers` with n_layers (checked here, against `where`) equal entries of that window.
Status set_layers(ModelConfig& config, std::int64_t window, std::string_view where);

}  // namespace llm::models
