#include "models/decoder.h"

#include <algorithm>

#include "core/check.h"
#include "core/half.h"
#include "quant/quant.h"

namespace llm::models {
namespace {

std::size_t norm_bytes(const Norm& norm) { return norm.weight.size() * sizeof(float); }

// The scratch that any single operation of this network may ask of a thread.
std::size_t thread_scratch_bytes(const Network& network, const KvCache& cache,
                                 const kernels::Ops& ops) {
  std::size_t most = 0;
  const auto consider = [&](const LinearGroup& group) {
    for (const Linear& member : group.members()) {
      most = std::max(most, ops.matmul_scratch_bytes(member.matrix.dtype, member.matrix.cols));
    }
  };
  for (const Layer& layer : network.layers) {
    consider(layer.attention.qkv);
    consider(layer.attention.output);
    consider(layer.ffn.gate_up);
    consider(layer.ffn.down);
    const kernels::AttentionArgs args{.kv = cache.shape(),
                                      .layer = nullptr,
                                      .n_heads = layer.attention.n_heads,
                                      .scale = layer.attention.scale,
                                      .softcap = 0,
                                      .window = layer.attention.window};
    most = std::max(most, ops.attention_scratch_bytes(args));
  }
  consider(network.lm_head);
  return (most + 63) / 64 * 64;
}

}  // namespace

void Embedding::lookup(std::int32_t token, float* row) const {
  const std::int64_t cols = table.shape[1];
  const std::size_t bytes = row_bytes(table.dtype, static_cast<std::size_t>(cols));
  quant::decode_row(table.dtype, table.data + static_cast<std::size_t>(token) * bytes, row, cols);
  if (rounded_to == table.dtype) return;
  for (std::int64_t c = 0; c < cols; ++c) {
    if (rounded_to == DType::f16) row[c] = core::f16_to_f32(core::f32_to_f16(row[c]));
    if (rounded_to == DType::bf16) row[c] = core::bf16_to_f32(core::f32_to_bf16(row[c]));
  }
}

std::size_t Network::bytes() const {
  std::size_t sum = norm_bytes(final_norm) + lm_head.bytes();
  for (const Layer& layer : layers) {
    sum += norm_bytes(layer.attention_norm) + layer.attention.qkv.bytes() +
           layer.attention.output.bytes() + norm_bytes(layer.ffn_norm) + layer.ffn.gate_up.bytes() +
           layer.ffn.down.bytes();
  }
  return sum;
}

Result<std::unique_ptr<Decoder>> Decoder::create(Network network, Rope rope, KvCache cache,
                                                 StepSizes sizes, const kernels::Ops& ops,
                                                 core::ThreadPool& pool) {
  Compute compute{.ops = &ops,
                  .pool = &pool,
                  .thread_scratch = nullptr,
                  .thread_scratch_bytes = thread_scratch_bytes(network, cache, ops)};
  LLM_ASSIGN_OR_RETURN(
      auto scratch,
      core::AlignedBuffer::allocate(
          compute.thread_scratch_bytes * static_cast<std::size_t>(pool.size()), "thread scratch"));
  compute.thread_scratch = scratch.data();
  LLM_ASSIGN_OR_RETURN(auto step, Step::create(sizes, rope, compute));
  return std::unique_ptr<Decoder>(new Decoder(std::move(network), std::move(rope), std::move(cache),
                                              std::move(step), std::move(scratch), compute));
}

Decoder::Decoder(Network network, Rope rope, KvCache cache, Step step, core::AlignedBuffer scratch,
                 Compute compute)
    : network_(std::move(network)),
      rope_(std::move(rope)),
      cache_(std::move(cache)),
      step_(std::move(step)),
      scratch_(std::move(scratch)),
      compute_(compute) {}

void Decoder::forward(const Batch& batch) {
  LLM_CHECK(!batch.rows.empty() && static_cast<std::int64_t>(batch.rows.size()) <= max_rows());
  step_.begin(batch, rope_, compute_);
  embed();
  for (std::size_t l = 0; l < network_.layers.size(); ++l) {
    const Layer& layer = network_.layers[l];
    layer.attention_norm.apply(step_.x, step_.normed, step_.rows(), compute_);
    layer.attention.apply(step_, step_.normed, step_.x, cache_, static_cast<std::int64_t>(l),
                          compute_);
    layer.ffn_norm.apply(step_.x, step_.normed, step_.rows(), compute_);
    layer.ffn.apply(step_, step_.normed, step_.x, compute_);
  }
  gather_wanted();
}

void Decoder::embed() {
  const std::int64_t hidden = step_.sizes().hidden_size;
  compute_.for_rows(step_.rows(), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      network_.embedding.lookup(step_.batch().rows[static_cast<std::size_t>(row)].token,
                                step_.x + row * hidden);
    }
  });
}

void Decoder::gather_wanted() {
  const std::int64_t hidden = step_.sizes().hidden_size;
  wanted_rows_ = 0;
  for (std::int64_t row = 0; row < step_.rows(); ++row) {
    if (!step_.batch().rows[static_cast<std::size_t>(row)].wants_logits) continue;
    std::copy_n(step_.x + row * hidden, hidden, step_.wanted + wanted_rows_ * hidden);
    ++wanted_rows_;
  }
  network_.final_norm.apply(step_.wanted, step_.wanted, wanted_rows_, compute_);
}

std::span<const float> Decoder::logits(std::int64_t first, std::int64_t count) {
  LLM_CHECK(first >= 0 && count >= 0 && count <= max_logit_rows() && first + count <= wanted_rows_);
  const std::int64_t hidden = step_.sizes().hidden_size;
  const std::int64_t vocab = step_.sizes().vocab_size;
  if (count > 0) {
    step_.input.set(step_.wanted + first * hidden, count, hidden);
    network_.lm_head.apply(step_.input, step_.logits, vocab, false, compute_);
  }
  return {step_.logits, static_cast<std::size_t>(count * vocab)};
}

}  // namespace llm::models
