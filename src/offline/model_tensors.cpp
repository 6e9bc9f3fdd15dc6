#include "offline/model_tensors.h"

namespace llm::offline {

std::vector<ModelTensor> model_tensors(const models::ModelConfig& config,
                                       formats::FileFormat format) {
  using models::at_layer;
  using models::TensorNames;
  const bool gguf = format == formats::FileFormat::gguf;
  const models::ArchSpec& spec = *config.spec;
  const TensorNames& hf = spec.hf_names;
  const TensorNames& names = gguf ? spec.gguf_names : hf;
  const std::int64_t interleaved = gguf && spec.gguf_interleaved_rope ? config.head_dim : 0;
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t q_rows = config.n_heads * config.head_dim;
  const std::int64_t kv_rows = config.n_kv_heads * config.head_dim;

  std::vector<ModelTensor> tensors;
  const auto add = [&](std::string_view TensorNames::*field, std::int64_t layer, core::Shape shape,
                       std::int64_t head_dim = 0) {
    tensors.push_back({at_layer(names.*field, layer), at_layer(hf.*field, layer), shape, head_dim});
  };
  add(&TensorNames::embedding, 0, {config.vocab_size, hidden});
  for (std::int64_t l = 0; l < config.n_layers; ++l) {
    add(&TensorNames::attention_norm, l, {hidden});
    add(&TensorNames::q, l, {q_rows, hidden}, interleaved);
    add(&TensorNames::k, l, {kv_rows, hidden}, interleaved);
    add(&TensorNames::v, l, {kv_rows, hidden});
    add(&TensorNames::o, l, {hidden, q_rows});
    add(&TensorNames::ffn_norm, l, {hidden});
    add(&TensorNames::gate, l, {config.ffn_size, hidden});
    add(&TensorNames::up, l, {config.ffn_size, hidden});
    add(&TensorNames::down, l, {hidden, config.ffn_size});
  }
  add(&TensorNames::final_norm, 0, {hidden});
  if (!config.tie_embeddings) add(&TensorNames::lm_head, 0, {config.vocab_size, hidden});
  return tensors;
}

}  // namespace llm::offline
