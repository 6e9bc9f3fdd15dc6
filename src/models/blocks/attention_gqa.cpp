#include "models/blocks/attention_gqa.h"

namespace llm::models {

void AttentionGqa::apply(Step& step, const float* normed, float* out, KvCache& cache,
                         std::int64_t layer, const Compute& compute) const {
  const std::int64_t rows = step.rows();
  const std::int64_t hidden = step.sizes().hidden_size;
  const std::int64_t outputs = std::int64_t{n_heads} * head_dim;
  step.input.set(normed, rows, hidden);
  qkv.apply(step.input, step.qkv, qkv.outputs(), false, compute);

  std::byte* pages = cache.layer(layer);
  rotate_and_store(step, pages, cache.page_bytes(), cache.shape(), compute);

  for (std::int64_t row = 0; row < rows; ++row) {
    const BatchRow& source = step.batch().rows[static_cast<std::size_t>(row)];
    step.attention_rows[static_cast<std::size_t>(row)] = {
        .q = step.qkv + row * qkv.outputs(),
        .out = step.mixed + row * outputs,
        .pages = step.batch().page_tables[static_cast<std::size_t>(source.sequence)],
        .position = source.position};
  }
  const kernels::AttentionArgs args{.kv = cache.shape(),
                                    .layer = pages,
                                    .n_heads = n_heads,
                                    .scale = scale,
                                    .softcap = softcap,
                                    .window = window};
  const auto& runs = step.runs();
  const auto pieces = static_cast<std::int64_t>(runs.size()) * n_kv_heads;
  compute.pool->parallel_for(pieces, [&](std::int64_t piece, int thread) {
    // Longest runs of keys come last in a prompt; taking them first balances the threads.
    const AttentionRun& run = runs[runs.size() - 1 - static_cast<std::size_t>(piece / n_kv_heads)];
    compute.ops->attention(args, step.attention_rows.data() + run.begin, run.count,
                           static_cast<int>(piece % n_kv_heads), compute.scratch(thread));
  });

  step.input.set(step.mixed, rows, outputs);
  output.apply(step.input, out, hidden, true, compute);
}

void AttentionGqa::rotate_and_store(Step& step, std::byte* pages, std::size_t page_bytes,
                                    const kernels::KvShape& shape, const Compute& compute) const {
  const kernels::Ops& ops = *compute.ops;
  const std::int64_t q_width = std::int64_t{n_heads} * head_dim;
  const std::int64_t kv_width = std::int64_t{n_kv_heads} * head_dim;
  const std::int64_t stride = qkv.outputs();
  compute.for_rows(step.rows(), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      float* q = step.qkv + row * stride;
      float* k = q + q_width;
      const float* v = k + kv_width;
      if (q_norm.present()) q_norm.apply_to_heads(q, n_heads, head_dim, ops);
      if (k_norm.present()) k_norm.apply_to_heads(k, n_kv_heads, head_dim, ops);
      if (rope != kNoRope) {
        const Rotations& rotations = step.rotations(rope);
        ops.rope(q, n_heads, head_dim, rotations.dim(), rotations.cos(row), rotations.sin(row));
        ops.rope(k, n_kv_heads, head_dim, rotations.dim(), rotations.cos(row), rotations.sin(row));
      }
      const BatchRow& source = step.batch().rows[static_cast<std::size_t>(row)];
      const std::int32_t* table =
          step.batch().page_tables[static_cast<std::size_t>(source.sequence)];
      const auto page = static_cast<std::size_t>(table[source.position / kernels::kKvPageTokens]);
      ops.kv_store(shape, pages + page * page_bytes, source.position % kernels::kKvPageTokens, k,
                   v);
    }
  });
}

}  // namespace llm::models
