// The reference backend: one plain loop per operation, accumulated in f64 and rounded to f32 once.
// It defines what every other backend computes, and runs whole models (LLM_ISA=ref), slowly.
//
// Layouts: a panel is one weight row as stored; a KV page is, per kv head, keys (kKvPageTokens,
// k_dim) and then values (kKvPageTokens, v_dim) in the cache's dtype.
#pragma once

#include "kernels/kernels.h"

namespace llm::kernels::ref {

extern const Ops kOps;

// ---- Parts of the table, one file per group of operations -------------------------------------

InputFormat input_format(DType weight);
std::int64_t panel_rows(DType weight);
std::size_t panel_bytes(DType weight, std::int64_t cols);
void pack_panel(DType weight, std::int64_t cols, const std::byte* const* rows, std::byte* panel);
std::size_t input_row_bytes(InputFormat format, std::int64_t cols);
void prepare_input(InputFormat format, const float* x, std::int64_t x_stride, std::int64_t cols,
                   std::int64_t row_begin, std::int64_t row_end, std::byte* out);
void matmul(const MatmulArgs& args, std::int64_t panel_begin, std::int64_t panel_end,
            std::byte* scratch);
std::size_t matmul_scratch_bytes(DType weight, std::int64_t cols);
double peak_loop(InputFormat format, std::int64_t iterations);

void rms_norm(const float* x, const float* w, float eps, float* y, std::int64_t rows,
              std::int64_t cols, std::int64_t stride);
void layer_norm(const float* x, const float* w, const float* b, float eps, float* y,
                std::int64_t rows, std::int64_t cols, std::int64_t stride);
void rope(float* x, int n_heads, int head_dim, int rotary_dim, const float* cos, const float* sin);
void activate(Activation activation, const float* gate, const float* up, float* out,
              std::int64_t cols);
void softcap(float* x, float cap, std::int64_t cols);
void add(float* x, const float* y, std::int64_t cols);

std::size_t kv_page_bytes(const KvShape& shape);
void kv_store(const KvShape& shape, std::byte* page, std::int64_t slot, const float* k,
              const float* v);
void attention(const AttentionArgs& args, const AttentionRow* rows, std::int64_t n_rows,
               int kv_head, std::byte* scratch);
std::size_t attention_scratch_bytes(const AttentionArgs& args);

}  // namespace llm::kernels::ref
