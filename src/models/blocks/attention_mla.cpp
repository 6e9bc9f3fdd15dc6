#include "models/blocks/attention_mla.h"

#include <algorithm>

namespace llm::models {
namespace {

// Heads that one piece of work attends with: all read the same latent, so more would be faster for
// one thread, but a single sequence has to keep all of them busy.
constexpr int kHeadsPerPiece = 8;

}  // namespace

void AttentionMla::apply(Step& step, const float* normed, float* out, KvCache& cache,
                         std::int64_t layer, const Compute& compute) const {
  const std::int64_t rows = step.rows();
  const Queries queries = make_queries(step, normed, compute);
  rotate_and_store(step, queries, cache, layer, compute);
  const std::int64_t q_head = nope_dim + rope_dim;
  const std::int64_t k_dim = kv_latent + rope_dim;
  k_absorbed.apply({queries.at, queries.stride, q_head}, {step.mla.queries, n_heads * k_dim, k_dim},
                   rows, compute);
  attend(step, cache, layer, compute);
  v_up.apply({step.mla.latents, std::int64_t{n_heads} * kv_latent, kv_latent},
             {step.mixed, std::int64_t{n_heads} * v_dim, v_dim}, rows, compute);
  step.input.set(step.mixed, rows, std::int64_t{n_heads} * v_dim);
  output.apply(step.input, out, step.sizes().hidden_size, true, compute);
}

AttentionMla::Queries AttentionMla::make_queries(Step& step, const float* normed,
                                                 const Compute& compute) const {
  const std::int64_t rows = step.rows();
  const std::int64_t width = down.outputs();
  step.input.set(normed, rows, step.sizes().hidden_size);
  down.apply(step.input, step.qkv, width, false, compute);
  if (q_latent == 0) return {step.qkv, width};
  compute.for_rows(rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      std::copy_n(step.qkv + row * width, q_latent, step.mla.q_latents + row * q_latent);
    }
  });
  q_norm.apply(step.mla.q_latents, step.mla.q_latents, rows, compute);
  step.input.set(step.mla.q_latents, rows, q_latent);
  q_up.apply(step.input, step.mla.q, q_up.outputs(), false, compute);
  return {step.mla.q, q_up.outputs()};
}

void AttentionMla::rotate_and_store(Step& step, const Queries& queries, KvCache& cache,
                                    std::int64_t layer, const Compute& compute) const {
  const kernels::Ops& ops = *compute.ops;
  const std::int64_t width = down.outputs();
  const int q_head = nope_dim + rope_dim;
  const std::int64_t k_dim = kv_latent + rope_dim;
  std::byte* pages = cache.layer(layer);
  const Rotations& rotations = step.rotations(0);
  compute.for_rows(step.rows(), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      float* q = queries.at + row * queries.stride;
      float* latent = step.qkv + row * width + (width - k_dim);
      kv_norm.apply_to_heads(latent, 1, kv_latent, ops);
      ops.rope(latent + kv_latent, 1, rope_dim, rope_dim, rotations.cos(row), rotations.sin(row));
      ops.rope(q + nope_dim, n_heads, q_head, rope_dim, rotations.cos(row), rotations.sin(row));
      float* absorbed = step.mla.queries + row * n_heads * k_dim;
      for (int head = 0; head < n_heads; ++head) {
        std::copy_n(q + head * q_head + nope_dim, rope_dim, absorbed + head * k_dim + kv_latent);
      }
      const BatchRow& source = step.batch().rows[static_cast<std::size_t>(row)];
      const std::int32_t* table =
          step.batch().page_tables[static_cast<std::size_t>(source.sequence)];
      const auto page = static_cast<std::size_t>(table[source.position / kernels::kKvPageTokens]);
      ops.kv_store(cache.shape(), pages + page * cache.page_bytes(),
                   source.position % kernels::kKvPageTokens, latent, nullptr);
    }
  });
}

void AttentionMla::attend(Step& step, KvCache& cache, std::int64_t layer,
                          const Compute& compute) const {
  const std::int64_t rows = step.rows();
  const std::int64_t k_dim = kv_latent + rope_dim;
  const std::int64_t groups = (n_heads + kHeadsPerPiece - 1) / kHeadsPerPiece;
  for (std::int64_t group = 0; group < groups; ++group) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const BatchRow& source = step.batch().rows[static_cast<std::size_t>(row)];
      const std::int64_t head = row * n_heads + group * kHeadsPerPiece;
      step.attention_rows[static_cast<std::size_t>(group * rows + row)] = {
          .q = step.mla.queries + head * k_dim,
          .out = step.mla.latents + head * kv_latent,
          .pages = step.batch().page_tables[static_cast<std::size_t>(source.sequence)],
          .position = source.position};
    }
  }
  const auto& runs = step.runs();
  const auto n_runs = static_cast<std::int64_t>(runs.size());
  compute.pool->parallel_for(n_runs * groups, [&](std::int64_t piece, int thread) {
    const std::int64_t group = piece % groups;
    const AttentionRun& run = runs[static_cast<std::size_t>(n_runs - 1 - piece / groups)];
    const std::int64_t heads =
        std::min<std::int64_t>(kHeadsPerPiece, n_heads - group * kHeadsPerPiece);
    const kernels::AttentionArgs args{.kv = cache.shape(),
                                      .layer = cache.layer(layer),
                                      .n_heads = static_cast<int>(heads),
                                      .scale = scale,
                                      .softcap = 0,
                                      .window = 0};
    compute.ops->attention(args, step.attention_rows.data() + group * rows + run.begin, run.count,
                           0, compute.scratch(thread));
  });
}

}  // namespace llm::models
