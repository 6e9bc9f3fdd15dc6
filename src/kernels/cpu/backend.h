// What the files of one instruction set export to each other: the entries of its table.
// Included after isa.h.
#pragma once

#include "kernels/kernels.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {

std::size_t input_row_bytes(InputFormat format, std::int64_t cols);
void prepare_input(InputFormat format, const float* x, std::int64_t x_stride, std::int64_t cols,
                   std::int64_t row_begin, std::int64_t row_end, std::byte* out);

/// `scratch` holds matmul_float_scratch_bytes.
void matmul_float(const MatmulArgs& args, std::int64_t panel_begin, std::int64_t panel_end,
                  std::byte* scratch);
std::size_t matmul_float_scratch_bytes(DType weight);
void matmul_quant(const MatmulArgs& args, std::int64_t panel_begin, std::int64_t panel_end);

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
inline constexpr std::int64_t kAttentionRowTile = 16;

double peak_loop(InputFormat format, std::int64_t iterations);

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
