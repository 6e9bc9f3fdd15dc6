// What the files of the avx512_amx table export to each other. Included after isa.h.
#pragma once

#include "kernels/kernels.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {

/// Whether weights of this type are multiplied on tiles.
bool runs_on_tiles(DType weight);

/// f16 activations: a row is two rows of bf16, padded with zeros to kBf16Columns, whose sum is the
/// row exactly.
std::size_t f16_parts_row_bytes(std::int64_t cols);
/// The contract is that of Ops::prepare_input.
void prepare_f16_parts(const float* x, std::int64_t x_stride, std::int64_t cols,
                       std::int64_t row_begin, std::int64_t row_end, std::byte* out);

/// Weights that run on tiles, in the panels of kernels/cpu/layout.h; any number of tokens, whose
/// rows lie x_row_bytes apart. `scratch` holds matmul_tiles_scratch_bytes.
void matmul_tiles(const MatmulArgs& args, std::int64_t x_row_bytes, std::int64_t panel_begin,
                  std::int64_t panel_end, std::byte* scratch);
std::size_t matmul_tiles_scratch_bytes();

/// Whether attention over this cache runs on tiles; its pages are then those of kv_pairs.h. The
/// contracts are those of Ops.
bool attends_on_tiles(const KvShape& shape);
std::size_t kv_pairs_page_bytes(const KvShape& shape);
void kv_store_pairs(const KvShape& shape, std::byte* page, std::int64_t slot, const float* k,
                    const float* v);
void attention_tiles(const AttentionArgs& args, const AttentionRow* rows, std::int64_t n_rows,
                     int kv_head, std::byte* scratch);
std::size_t attention_tiles_scratch_bytes(const AttentionArgs& args);

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
