#include "models/network.h"

#include "core/half.h"
#include "quant/quant.h"

namespace llm::models {

Status Embedding::lookup(std::int32_t token, std::byte* buffer, float* row) const {
  const std::size_t bytes = stored_bytes();
  LLM_RETURN_IF_ERROR(file.read(offset + static_cast<std::size_t>(token) * bytes, {buffer, bytes}));
  quant::decode_row(stored, buffer, row, hidden_size);
  for (std::int64_t c = 0; c < hidden_size; ++c) {
    if (rounded_to == DType::f16) row[c] = core::f16_to_f32(core::f32_to_f16(row[c]));
    if (rounded_to == DType::bf16) row[c] = core::bf16_to_f32(core::f32_to_bf16(row[c]));
    row[c] *= scale;
  }
  return {};
}

void Network::for_each_group(core::FunctionRef<void(const LinearGroup&)> visit) const {
  const auto visit_dense = [&](const FfnDense& ffn) {
    visit(ffn.gate_up);
    visit(ffn.down);
  };
  for (const Layer& layer : layers) {
    if (const auto* gqa = std::get_if<AttentionGqa>(&layer.attention)) {
      visit(gqa->qkv);
      visit(gqa->output);
    } else {
      const AttentionMla& mla = std::get<AttentionMla>(layer.attention);
      visit(mla.down);
      visit(mla.q_up);
      visit(mla.output);
    }
    if (const auto* dense = std::get_if<FfnDense>(&layer.ffn)) {
      visit_dense(*dense);
    } else {
      const FfnMoe& moe = std::get<FfnMoe>(layer.ffn);
      visit(moe.router);
      for (const FfnDense& expert : moe.experts) visit_dense(expert);
      visit_dense(moe.shared);
      visit(moe.shared_router);
    }
  }
  visit(lm_head);
}

std::size_t Network::bytes() const {
  std::size_t sum = final_norm.bytes();
  for_each_group([&](const LinearGroup& group) { sum += group.bytes(); });
  for (const Layer& layer : layers) {
    sum += layer.attention_norm.bytes() + layer.post_attention_norm.bytes() +
           layer.ffn_norm.bytes() + layer.post_ffn_norm.bytes();
    if (const auto* gqa = std::get_if<AttentionGqa>(&layer.attention)) {
      sum += gqa->q_norm.bytes() + gqa->k_norm.bytes();
    } else {
      const AttentionMla& mla = std::get<AttentionMla>(layer.attention);
      sum += mla.q_norm.bytes() + mla.kv_norm.bytes() + mla.k_absorbed.bytes() + mla.v_up.bytes();
    }
  }
  return sum;
}

std::size_t Network::expert_bytes() const {
  std::size_t sum = 0;
  for (const Layer& layer : layers) {
    const auto* moe = std::get_if<FfnMoe>(&layer.ffn);
    if (moe == nullptr) continue;
    for (const FfnDense& expert : moe->experts) sum += expert.gate_up.bytes() + expert.down.bytes();
  }
  return sum;
}

}  // namespace llm::models
