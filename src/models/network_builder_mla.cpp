// The latent-attention half of NetworkBuilder.
#include <cmath>

#include "models/network_builder.h"

namespace llm::models {

Result<Norm> NetworkBuilder::latent_norm(std::string_view pattern, std::int64_t layer,
                                         std::int64_t size) {
  Norm norm{.kind = NormKind::rms, .weight = {}, .bias = {}, .eps = config_.norm_eps};
  LLM_ASSIGN_OR_RETURN(norm.weight, loader_.vector(name(pattern, layer), size));
  return norm;
}

Result<AttentionMla> NetworkBuilder::load_latent_attention(std::int64_t l) {
  const TensorNames& names = config_.names;
  const MlaConfig& mla = config_.mla;
  const std::int64_t q_head = mla.nope_dim + mla.rope_dim;
  const std::int64_t k_dim = mla.kv_latent + mla.rope_dim;
  const BiasRule bias = bias_rule(config_.qkv_bias);
  AttentionMla attention;
  attention.n_heads = static_cast<int>(config_.n_heads);
  attention.q_latent = static_cast<int>(mla.q_latent);
  attention.kv_latent = static_cast<int>(mla.kv_latent);
  attention.nope_dim = static_cast<int>(mla.nope_dim);
  attention.rope_dim = static_cast<int>(mla.rope_dim);
  attention.v_dim = static_cast<int>(mla.v_dim);
  attention.scale = static_cast<float>(config_.attention_scale);

  const LinearPart q{.name = name(mla.q_latent > 0 ? names.q_b : names.q, l),
                     .rows = config_.n_heads * q_head,
                     .interleaved_head_dim = q_head,
                     .interleaved_first = mla.nope_dim};
  const LinearPart kv_a{.name = name(names.kv_a, l),
                        .rows = k_dim,
                        .bias = bias,
                        .interleaved_head_dim = k_dim,
                        .interleaved_first = mla.kv_latent};
  if (mla.q_latent > 0) {
    const LinearPart q_a{.name = name(names.q_a, l), .rows = mla.q_latent, .bias = bias};
    LLM_ASSIGN_OR_RETURN(attention.down, loader_.group({q_a, kv_a}, config_.hidden_size));
    LLM_ASSIGN_OR_RETURN(attention.q_norm, latent_norm(names.q_a_norm, l, mla.q_latent));
    LLM_ASSIGN_OR_RETURN(attention.q_up, loader_.group({q}, mla.q_latent));
  } else {
    LLM_ASSIGN_OR_RETURN(attention.down, loader_.group({q, kv_a}, config_.hidden_size));
  }
  LLM_ASSIGN_OR_RETURN(attention.kv_norm, latent_norm(names.kv_a_norm, l, mla.kv_latent));
  LLM_RETURN_IF_ERROR(load_head_matrices(l, attention));
  LLM_ASSIGN_OR_RETURN(attention.output, loader_.group({{.name = name(names.o, l),
                                                         .rows = config_.hidden_size,
                                                         .bias = bias_rule(config_.output_bias)}},
                                                       config_.n_heads * mla.v_dim));
  return attention;
}

// Files hold kv_b (per head: key rows, then value rows, of the latent's width), its halves with the
// keys transposed, or both.
Status NetworkBuilder::load_head_matrices(std::int64_t l, AttentionMla& attention) {
  const TensorNames& names = config_.names;
  const MlaConfig& mla = config_.mla;
  const std::int64_t period = mla.nope_dim + mla.v_dim;
  const bool whole = !has(names.k_b, l) || has(names.kv_b, l);
  const auto part_of_kv_b = [&](std::int64_t offset, std::int64_t rows) -> LinearPart {
    return {.name = name(names.kv_b, l),
            .rows = rows,
            .stored_rows = config_.n_heads * period,
            .blocks = {.offset = offset}};
  };
  const auto one_of = [&](std::string_view pattern, std::int64_t head,
                          std::int64_t rows) -> LinearPart {
    return {.name = name(pattern, l),
            .rows = rows,
            .blocks = {.offset = head * rows},
            .stored_matrices = config_.n_heads};
  };
  for (std::int64_t head = 0; head < config_.n_heads; ++head) {
    Linear k;
    Linear v;
    if (whole) {
      const LinearPart keys = part_of_kv_b(head * period, mla.nope_dim);
      const LinearPart values = part_of_kv_b(head * period + mla.nope_dim, mla.v_dim);
      LLM_ASSIGN_OR_RETURN(k, loader_.transposed(keys, mla.kv_latent));
      LLM_ASSIGN_OR_RETURN(v, loader_.linear(values, mla.kv_latent));
    } else {
      LLM_ASSIGN_OR_RETURN(k, loader_.linear(one_of(names.k_b, head, mla.kv_latent), mla.nope_dim));
      LLM_ASSIGN_OR_RETURN(v, loader_.linear(one_of(names.v_b, head, mla.v_dim), mla.kv_latent));
    }
    attention.k_absorbed.heads.push_back(std::move(k));
    attention.v_up.heads.push_back(std::move(v));
  }
  if (whole && gguf_) {
    loader_.claims().ignore(name(names.k_b, l));
    loader_.claims().ignore(name(names.v_b, l));
  }
  return {};
}

}  // namespace llm::models
