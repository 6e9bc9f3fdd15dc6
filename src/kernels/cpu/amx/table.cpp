// The avx512_amx table: that of avx512_bf16, with matrix products of bf16 and f16 on tiles, and
// attention over a bf16 cache.
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/amx/amx.h"
#include "kernels/cpu/amx/tiles.h"
#include "kernels/cpu/layout.h"
#include "kernels/cpu/tables.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

std::size_t input_row_bytes(InputFormat format, std::int64_t cols) {
  if (format == InputFormat::f16) return f16_parts_row_bytes(cols);
  return avx512_bf16::kOps.input_row_bytes(format, cols);
}

void prepare_input(InputFormat format, const float* x, std::int64_t x_stride, std::int64_t cols,
                   std::int64_t row_begin, std::int64_t row_end, std::byte* out) {
  if (format == InputFormat::f16) {
    prepare_f16_parts(x, x_stride, cols, row_begin, row_end, out);
  } else {
    avx512_bf16::kOps.prepare_input(format, x, x_stride, cols, row_begin, row_end, out);
  }
}

void matmul(const MatmulArgs& args, std::int64_t panel_begin, std::int64_t panel_end,
            std::byte* scratch) {
  if (runs_on_tiles(args.w->dtype)) {
    const std::size_t x_row_bytes = input_row_bytes(args.w->input, args.w->cols);
    matmul_tiles(args, static_cast<std::int64_t>(x_row_bytes), panel_begin, panel_end, scratch);
  } else {
    avx512_bf16::kOps.matmul(args, panel_begin, panel_end, scratch);
  }
}

std::size_t matmul_scratch_bytes(DType weight, std::int64_t cols) {
  if (runs_on_tiles(weight)) return matmul_tiles_scratch_bytes();
  return avx512_bf16::kOps.matmul_scratch_bytes(weight, cols);
}

std::size_t kv_page_bytes(const KvShape& shape) {
  return attends_on_tiles(shape) ? kv_pairs_page_bytes(shape)
                                 : avx512_bf16::kOps.kv_page_bytes(shape);
}

void kv_store(const KvShape& shape, std::byte* page, std::int64_t slot, const float* k,
              const float* v) {
  (attends_on_tiles(shape) ? kv_store_pairs : avx512_bf16::kOps.kv_store)(shape, page, slot, k, v);
}

void attention(const AttentionArgs& args, const AttentionRow* rows, std::int64_t n_rows,
               int kv_head, std::byte* scratch) {
  (attends_on_tiles(args.kv) ? attention_tiles : avx512_bf16::kOps.attention)(args, rows, n_rows,
                                                                              kv_head, scratch);
}

std::size_t attention_scratch_bytes(const AttentionArgs& args) {
  return attends_on_tiles(args.kv) ? attention_tiles_scratch_bytes(args)
                                   : avx512_bf16::kOps.attention_scratch_bytes(args);
}

/// The four products of parts that stand for one of f16 count as one.
double peak_loop(InputFormat format, std::int64_t iterations) {
  const bool parts = format == InputFormat::f16;
  if (format != InputFormat::bf16 && !parts) {
    return avx512_bf16::kOps.peak_loop(format, iterations);
  }
  TileShapes shapes;
  for (int tile = 0; tile < 8; ++tile) shapes.set(tile, kTileRows, kTileRowBytes);
  configure_tiles(shapes);
  for (std::int64_t n = 0; n < iterations; ++n) {
    multiply_bf16_tiles<0, 4, 6>();
    multiply_bf16_tiles<1, 4, 7>();
    multiply_bf16_tiles<2, 5, 6>();
    multiply_bf16_tiles<3, 5, 7>();
  }
  release_tiles();
  const double operations = 2.0 * 4 * kTileRows * kTileRows * kBf16Columns;
  return (parts ? operations / 4 : operations) * static_cast<double>(iterations);
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA

namespace llm::kernels::cpu {

const Ops& avx512_amx_ops() {
  static const Ops ops = [] {
    Ops table = avx512_bf16::kOps;
    table.name = "avx512_amx";
    table.input_row_bytes = LLM_KERNEL_ISA::input_row_bytes;
    table.prepare_input = LLM_KERNEL_ISA::prepare_input;
    table.matmul = LLM_KERNEL_ISA::matmul;
    table.matmul_scratch_bytes = LLM_KERNEL_ISA::matmul_scratch_bytes;
    table.kv_page_bytes = LLM_KERNEL_ISA::kv_page_bytes;
    table.kv_store = LLM_KERNEL_ISA::kv_store;
    table.attention = LLM_KERNEL_ISA::attention;
    table.attention_scratch_bytes = LLM_KERNEL_ISA::attention_scratch_bytes;
    table.peak_loop = LLM_KERNEL_ISA::peak_loop;
    return table;
  }();
  return ops;
}

}  // namespace llm::kernels::cpu
