// AttentionMla: multi-head latent attention (DeepSeek-AI 2024, section 2.1): keys and values of all
// heads are made from one latent vector per position, and only that and one rotated key part are
// cached. The matrices that would make keys and values from the latent are applied to the queries
// and to the result instead, which is the same by associativity.
#pragma once

#include "models/blocks/norm.h"
#include "models/head_linear.h"
#include "models/kv_cache.h"
#include "models/linear.h"
#include "models/step.h"

namespace llm::models {

struct AttentionMla {
  int n_heads = 0;
  int q_latent = 0;   ///< width of the latent that queries are made from; 0: none
  int kv_latent = 0;  ///< width of the latent that keys and values are made from
  int nope_dim = 0;   ///< components of a head that do not rotate; first in a query head
  int rope_dim = 0;   ///< components that do
  int v_dim = 0;
  float scale = 1;
  LinearGroup down;       // hidden_size -> q_latent (or all of q) | kv_latent + rope_dim
  Norm q_norm;            // of the latent of the queries
  Norm kv_norm;           // of the other latent
  LinearGroup q_up;       // q_latent -> n_heads * (nope_dim + rope_dim)
  HeadLinear k_absorbed;  // per head: nope_dim -> kv_latent
  HeadLinear v_up;        // per head: kv_latent -> v_dim
  LinearGroup output;     // n_heads * v_dim -> hidden_size

  /// out += output(attention(normed)); both (rows, hidden_size).
  void apply(Step& step, const float* normed, float* out, KvCache& cache, std::int64_t layer,
             const Compute& compute) const;

 private:
  /// The queries of a row, n_heads * (nope_dim + rope_dim), and how far apart rows are.
  struct Queries {
    float* at;
    std::int64_t stride;
  };
  Queries make_queries(Step& step, const float* normed, const Compute& compute) const;
  void rotate_and_store(Step& step, const Queries& queries, KvCache& cache, std::int64_t layer,
                        const Compute& compute) const;
  void attend(Step& step, KvCache& cache, std::int64_t layer, const Compute& compute) const;
};

}  // namespace llm::models
