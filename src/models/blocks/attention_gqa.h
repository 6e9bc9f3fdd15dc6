// AttentionGqa: multi-head attention with grouped keys and values (Ainslie et al. 2023), rotary
// positions, optional norms of the heads and an optional sliding window, over the paged cache.
#pragma once

#include "models/blocks/norm.h"
#include "models/kv_cache.h"
#include "models/linear.h"
#include "models/step.h"

namespace llm::models {

struct AttentionGqa {
  int n_heads = 0;
  int n_kv_heads = 0;
  int head_dim = 0;
  int rope = 0;             ///< which of the model's rotations, or kNoRope
  float scale = 1;          ///< of q.k
  float softcap = 0;        ///< of the scaled q.k; 0: none
  std::int64_t window = 0;  ///< last positions seen, the own one included; 0: all
  LinearGroup qkv;  // hidden_size -> n_heads*head_dim | n_kv_heads*head_dim | n_kv_heads*head_dim
  Norm q_norm, k_norm;  // of each head, before rotation; or absent
  LinearGroup output;   // n_heads*head_dim -> hidden_size

  /// out += output(attention(q, k, v of `normed`)); both (rows, hidden_size).
  void apply(Step& step, const float* normed, float* out, KvCache& cache, std::int64_t layer,
             const Compute& compute) const;

 private:
  void rotate_and_store(Step& step, std::byte* pages, std::size_t page_bytes,
                        const kernels::KvShape& shape, const Compute& compute) const;
};

}  // namespace llm::models
