#include "engine/step_work.h"

#include <algorithm>

namespace llm::engine {

StepWork::StepWork(const models::LoadedModel& model) {
  const models::ModelConfig& config = model.config;
  head_parameters_ = static_cast<double>(config.vocab_size * config.hidden_size);
  const double embedding = config.tie_embeddings ? 0.0 : head_parameters_;
  layer_parameters_ = static_cast<double>(model.parameters) - head_parameters_ - embedding;
  active_parameters_ = layer_parameters_;
  if (const models::MoeConfig& moe = config.moe; moe.n_experts > 0) {
    expert_share_ = static_cast<double>(moe.n_used) / static_cast<double>(moe.n_experts);
    const auto layers = std::count_if(config.layers.begin(), config.layers.end(),
                                      [](const models::LayerConfig& layer) { return layer.moe; });
    // Gate, up and down.
    active_parameters_ -= static_cast<double>(layers * (moe.n_experts - moe.n_used) * 3 *
                                              config.hidden_size * moe.ffn_size);
  }
  expert_bytes_ = static_cast<double>(model.expert_bytes);
  const double other = static_cast<double>(model.memory.weights) - expert_bytes_;
  const double dense_parameters =
      layer_parameters_ * (1.0 - expert_bytes_ / static_cast<double>(model.memory.weights));
  head_bytes_ = other * head_parameters_ / (head_parameters_ + dense_parameters);
  layer_bytes_ = other - head_bytes_;
  kv_bytes_per_token_ = static_cast<double>(model.memory.kv_per_token);
  // q.k and the sum over v: one multiplication and one addition per component each.
  attention_per_position_ = static_cast<double>(4 * config.n_heads * config.head_dim);
  for (const models::LayerConfig& layer : config.layers) windows_.push_back(layer.window);
}

double StepWork::operations(std::int64_t rows, std::int64_t logit_rows) const {
  return 2.0 * (active_parameters_ * static_cast<double>(rows) +
                head_parameters_ * static_cast<double>(logit_rows));
}

double StepWork::attention_operations(std::int64_t position) const {
  double seen = 0;
  for (const std::int64_t window : windows_) {
    seen += static_cast<double>(window > 0 ? std::min(position + 1, window) : position + 1);
  }
  return attention_per_position_ * seen;
}

double StepWork::cost_per_position() const {
  return attention_per_position_ * static_cast<double>(windows_.size()) / operations(1, 0);
}

double StepWork::weight_bytes(std::int64_t rows, bool wants_logits) const {
  return layer_bytes_ + (wants_logits ? head_bytes_ : 0.0) +
         expert_bytes_ * std::min(1.0, expert_share_ * static_cast<double>(rows));
}

double StepWork::cache_bytes(std::int64_t positions) const {
  return kv_bytes_per_token_ * static_cast<double>(positions);
}

}  // namespace llm::engine
