#include "models/decoder.h"

#include <algorithm>
#include <mutex>

#include "core/check.h"
#include "core/error.h"

namespace llm::models {
namespace {

// The scratch that any single operation of this network may ask of a thread.
std::size_t thread_scratch_bytes(const Network& network, const kernels::KvShape& kv_shape,
                                 const kernels::Ops& ops) {
  std::size_t most = network.embedding.stored_bytes();
  network.for_each_group([&](const LinearGroup& group) {
    for (const Linear& member : group.members()) {
      most = std::max(most, ops.matmul_scratch_bytes(member.matrix.dtype, member.matrix.cols));
    }
  });
  for (const Layer& layer : network.layers) {
    const int n_heads =
        std::visit([](const auto& attention) { return attention.n_heads; }, layer.attention);
    const kernels::AttentionArgs args{.kv = kv_shape,
                                      .layer = nullptr,
                                      .n_heads = n_heads,
                                      .scale = 1,
                                      .softcap = 0,
                                      .window = 0};
    most = std::max(most, ops.attention_scratch_bytes(args));
    if (const auto* mla = std::get_if<AttentionMla>(&layer.attention)) {
      most = std::max({most, mla->k_absorbed.scratch_bytes(ops), mla->v_up.scratch_bytes(ops)});
    }
  }
  return (most + 63) / 64 * 64;
}

}  // namespace

Result<std::size_t> Decoder::scratch_bytes_for(const Network& network,
                                               const kernels::KvShape& kv_shape,
                                               const StepSizes& sizes, std::span<const Rope> ropes,
                                               const kernels::Ops& ops, int threads) {
  LLM_ASSIGN_OR_RETURN(const std::size_t step, Step::bytes_for(sizes, ropes, ops));
  const std::size_t scratch =
      thread_scratch_bytes(network, kv_shape, ops) * static_cast<std::size_t>(threads);
  return step + core::AlignedBuffer::footprint(scratch);
}

Result<std::unique_ptr<Decoder>> Decoder::create(Network network, std::vector<Rope> ropes,
                                                 KvCache cache, StepSizes sizes,
                                                 const kernels::Ops& ops, core::ThreadPool& pool) {
  Compute compute{.ops = &ops,
                  .pool = &pool,
                  .thread_scratch = nullptr,
                  .thread_scratch_bytes = thread_scratch_bytes(network, cache.shape(), ops)};
  LLM_ASSIGN_OR_RETURN(
      auto scratch,
      core::AlignedBuffer::allocate(
          compute.thread_scratch_bytes * static_cast<std::size_t>(pool.size()), "thread scratch"));
  compute.thread_scratch = scratch.data();
  LLM_ASSIGN_OR_RETURN(auto step, Step::create(sizes, ropes, ops));
  return std::unique_ptr<Decoder>(new Decoder(std::move(network), std::move(ropes),
                                              std::move(cache), std::move(step), std::move(scratch),
                                              compute));
}

Decoder::Decoder(Network network, std::vector<Rope> ropes, KvCache cache, Step step,
                 core::AlignedBuffer scratch, Compute compute)
    : network_(std::move(network)),
      ropes_(std::move(ropes)),
      cache_(std::move(cache)),
      step_(std::move(step)),
      scratch_(std::move(scratch)),
      compute_(compute) {}

Status Decoder::forward(const Batch& batch) {
  LLM_CHECK(!batch.rows.empty() && static_cast<std::int64_t>(batch.rows.size()) <= max_rows());
  wanted_rows_ = 0;
  step_.begin(batch, ropes_, compute_);
  LLM_RETURN_IF_ERROR(embed());
  for (std::size_t l = 0; l < network_.layers.size(); ++l) {
    run_layer(network_.layers[l], static_cast<std::int64_t>(l));
  }
  gather_wanted();
  return {};
}

void Decoder::run_layer(const Layer& layer, std::int64_t index) {
  // Runs one half of the layer: straight into the residual stream, or through a norm of its own.
  const auto add_half = [&](const Norm& post_norm, auto half) {
    if (!post_norm.present()) {
      half(step_.x);
      return;
    }
    std::fill_n(step_.branch, step_.rows() * step_.sizes().hidden_size, 0.0F);
    half(step_.branch);
    post_norm.apply(step_.branch, step_.branch, step_.rows(), compute_);
    add_to_x(step_.branch);
  };
  layer.attention_norm.apply(step_.x, step_.normed, step_.rows(), compute_);
  const float* ffn_input = step_.normed;
  if (layer.form == LayerForm::parallel && layer.ffn_norm.present()) {
    layer.ffn_norm.apply(step_.x, step_.branch, step_.rows(), compute_);
    ffn_input = step_.branch;
  }
  add_half(layer.post_attention_norm, [&](float* out) {
    std::visit(
        [&](const auto& attention) {
          attention.apply(step_, step_.normed, out, cache_, index, compute_);
        },
        layer.attention);
  });
  if (layer.form == LayerForm::sequential) {
    layer.ffn_norm.apply(step_.x, step_.normed, step_.rows(), compute_);
  }
  add_half(layer.post_ffn_norm, [&](float* out) {
    std::visit([&](const auto& ffn) { ffn.apply(step_, ffn_input, out, compute_); }, layer.ffn);
  });
}

void Decoder::add_to_x(const float* branch) {
  const std::int64_t hidden = step_.sizes().hidden_size;
  compute_.for_rows(step_.rows(), [&](std::int64_t begin, std::int64_t end) {
    compute_.ops->add(step_.x + begin * hidden, branch + begin * hidden, (end - begin) * hidden);
  });
}

Status Decoder::embed() {
  constexpr std::int64_t kSlice = 8;  // rows that a thread reads at a time
  const std::int64_t hidden = step_.sizes().hidden_size;
  std::mutex mutex;
  Status failure;  // any of them; guarded by the mutex
  const std::int64_t slices = (step_.rows() + kSlice - 1) / kSlice;
  compute_.pool->parallel_for(slices, [&](std::int64_t slice, int thread) {
    const std::int64_t end = std::min(step_.rows(), (slice + 1) * kSlice);
    for (std::int64_t row = slice * kSlice; row < end; ++row) {
      const std::int32_t token = step_.batch().rows[static_cast<std::size_t>(row)].token;
      Status status =
          network_.embedding.lookup(token, compute_.scratch(thread), step_.x + row * hidden);
      if (status.ok()) continue;
      const std::lock_guard lock(mutex);
      failure = status.with_prefix(fmt::format("embedding of token {}", token));
    }
  });
  return failure;
}

void Decoder::gather_wanted() {
  const std::int64_t hidden = step_.sizes().hidden_size;
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
    if (network_.logit_softcap > 0) {
      compute_.for_rows(count, [&](std::int64_t begin, std::int64_t end) {
        compute_.ops->softcap(step_.logits + begin * vocab, network_.logit_softcap,
                              (end - begin) * vocab);
      });
    }
  }
  return {step_.logits, static_cast<std::size_t>(count * vocab)};
}

}  // namespace llm::models
