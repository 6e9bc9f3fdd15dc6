// The avx512_amx table: that of avx512_bf16, with bf16 matrix products on tiles.
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/amx/amx.h"
#include "kernels/cpu/amx/tiles.h"
#include "kernels/cpu/layout.h"
#include "kernels/cpu/tables.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

void matmul(const MatmulArgs& args, std::int64_t panel_begin, std::int64_t panel_end,
            std::byte* scratch) {
  if (args.w->input == InputFormat::bf16) {
    matmul_bf16(args, panel_begin, panel_end, scratch);
  } else {
    avx512_bf16::kOps.matmul(args, panel_begin, panel_end, scratch);
  }
}

std::size_t matmul_scratch_bytes(DType weight, std::int64_t cols) {
  if (weight == DType::bf16) return matmul_bf16_scratch_bytes();
  return avx512_bf16::kOps.matmul_scratch_bytes(weight, cols);
}

double peak_loop(InputFormat format, std::int64_t iterations) {
  if (format != InputFormat::bf16) return avx512_bf16::kOps.peak_loop(format, iterations);
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
  return 2.0 * 4 * kTileRows * kTileRows * kBf16Columns * static_cast<double>(iterations);
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA

namespace llm::kernels::cpu {

const Ops& avx512_amx_ops() {
  static const Ops ops = [] {
    Ops table = avx512_bf16::kOps;
    table.name = "avx512_amx";
    table.matmul = LLM_KERNEL_ISA::matmul;
    table.matmul_scratch_bytes = LLM_KERNEL_ISA::matmul_scratch_bytes;
    table.peak_loop = LLM_KERNEL_ISA::peak_loop;
    return table;
  }();
  return ops;
}

}  // namespace llm::kernels::cpu
