// Shapes of known models, for synthetic weights: hyperparameters as their published config.json
// states them. The vocabulary is as large as the real one; the tokenizer is not the real one.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace llm::offline {

struct SynthShape {
  std::string_view name;
  std::string_view architecture;  ///< `model_type` in config.json
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t ffn_size = 0;
  std::int64_t n_layers = 0;
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_positions = 0;
  double rope_theta = 10000.0;
  bool tie_embeddings = false;
  std::int64_t sliding_window = 0;  ///< 0: none
  double llama3_rope_factor = 0;    ///< 0: no rope scaling; original length 8192, factors 1 and 4
  double norm_eps = 1e-5;
};

std::span<const SynthShape> synth_shapes();

}  // namespace llm::offline
