// AttentionGqa: multi-head attention with grouped keys and values (Ainslie et al. 2023), rotary
// positions and an optional sliding window, over the paged cache.
#pragma once

#include "models/kv_cache.h"
#include "models/linear.h"
#include "models/step.h"

namespace llm::models {

struct AttentionGqa {
  int n_heads = 0;
  int n_kv_heads = 0;
  int head_dim = 0;
  float scale = 1;          ///< of q.k
  std::int64_t window = 0;  ///< last positions seen, the own one included; 0: all
  LinearGroup qkv;  // hidden_size -> n_heads*head_dim | n_kv_heads*head_dim | n_kv_heads*head_dim
  LinearGroup output;  // n_heads*head_dim -> hidden_size

  /// x += output(attention(q, k, v of `normed`)); normed: (rows, hidden_size).
  void apply(Step& step, const float* normed, float* x, KvCache& cache, std::int64_t layer,
             const Compute& compute) const;

 private:
  void rotate_and_store(Step& step, std::byte* pages, std::size_t page_bytes,
                        const kernels::KvShape& shape, const Compute& compute) const;
};

}  // namespace llm::models
