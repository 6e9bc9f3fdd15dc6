// Matrix product with f32, f16 and bf16 weights.
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/backend.h"
#include "kernels/cpu/matmul_f32_pairs.h"
#include "kernels/cpu/matmul_tile.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

// One step is the smallest number of columns that a weight type takes at a time.

struct F32Weights {
  static constexpr std::int64_t kColumns = 1;
  static constexpr std::int64_t kVectorBytes = kLanes * 4;
  using Register = F32;
  LLM_INLINE static Register weights(const std::byte* p) {
    return load(reinterpret_cast<const float*>(p));
  }
  LLM_INLINE static Register input(const std::byte* row, std::int64_t step) {
    return splat(reinterpret_cast<const float*>(row)[step]);
  }
  LLM_INLINE static F32 add_product(F32 sum, Register w, Register x) { return mul_add(w, x, sum); }
};

struct F16Weights : F32Weights {
  static constexpr std::int64_t kVectorBytes = kLanes * 2;
  LLM_INLINE static Register weights(const std::byte* p) {
    return load_f16(reinterpret_cast<const std::uint16_t*>(p));
  }
};

struct Bf16Weights {
  static constexpr std::int64_t kColumns = 2;
  static constexpr std::int64_t kVectorBytes = kLanes * 4;
  using Register = Bf16Pairs;
  LLM_INLINE static Register weights(const std::byte* p) { return load_bf16_pairs(p); }
  LLM_INLINE static Register input(const std::byte* row, std::int64_t step) {
    return load_bf16_input(row, step);
  }
  LLM_INLINE static F32 add_product(F32 sum, Register w, Register x) { return dot_bf16(sum, w, x); }
};

template <class Weights, int kTokens>
void tile(const TilePlace& at) {
  const std::byte* w = at.weights();
  const std::byte* x = at.input();
  const std::int64_t x_row_bytes = at.x_row_bytes;
  const std::int64_t steps = (at.args->w->cols + Weights::kColumns - 1) / Weights::kColumns;
  F32 sums[kTokens][kPanelVectors];
  LLM_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    LLM_UNROLL
    for (int v = 0; v < kPanelVectors; ++v) sums[t][v] = zero();
  }
  for (std::int64_t step = 0; step < steps; ++step) {
    typename Weights::Register columns[kPanelVectors];
    LLM_UNROLL
    for (int v = 0; v < kPanelVectors; ++v) {
      columns[v] = Weights::weights(w + v * Weights::kVectorBytes);
    }
    if constexpr (kTokens <= kStreamTokens) {
      LLM_UNROLL
      for (std::int64_t line = 0; line < kPanelVectors * Weights::kVectorBytes; line += 64) {
        __builtin_prefetch(w + kPrefetchBytes + line);
      }
    }
    LLM_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const auto input = Weights::input(x + t * x_row_bytes, step);
      LLM_UNROLL
      for (int v = 0; v < kPanelVectors; ++v) {
        sums[t][v] = Weights::add_product(sums[t][v], columns[v], input);
      }
    }
    w += kPanelVectors * Weights::kVectorBytes;
  }
  LLM_UNROLL
  for (int t = 0; t < kTokens; ++t) finish_row(at, t, sums[t]);
}

template <class Weights>
void run(const MatmulArgs& args, std::int64_t begin, std::int64_t end) {
  static constexpr TileFn kTiles[] = {
      tile<Weights, 1>, tile<Weights, 2>, tile<Weights, 3>, tile<Weights, 4>,
#define LLM_TILE(n) tile<Weights, (n) < kFloatTokens ? (n) : kFloatTokens>
      LLM_TILE(5),      LLM_TILE(6),      LLM_TILE(7),      LLM_TILE(8),
      LLM_TILE(9),      LLM_TILE(10),     LLM_TILE(11),     LLM_TILE(12),
#undef LLM_TILE
  };
  static_assert(kFloatTokens >= 4 && kFloatTokens <= 12);
  const auto x_row_bytes = static_cast<std::int64_t>(input_row_bytes(args.w->input, args.w->cols));
  run_tiles(args, begin, end, x_row_bytes, kTiles, kFloatTokens);
}

}  // namespace

void matmul_float(const MatmulArgs& args, std::int64_t panel_begin, std::int64_t panel_end,
                  std::byte* scratch) {
  switch (args.w->dtype) {
    case DType::f16:
      return run<F16Weights>(args, panel_begin, panel_end);
    case DType::bf16:
      return run<Bf16Weights>(args, panel_begin, panel_end);
    default:
      if (kPairsOfF32Panels && args.tokens > kFloatTokens) {
        const std::int64_t pairs_end = panel_end - (panel_end - panel_begin) % 2;
        run_pairs(args, panel_begin, pairs_end, reinterpret_cast<float*>(scratch));
        panel_begin = pairs_end;
      }
      return run<F32Weights>(args, panel_begin, panel_end);
  }
}

std::size_t matmul_float_scratch_bytes(DType weight) {
  return kPairsOfF32Panels && weight == DType::f32 ? kPairScratchBytes : 0;
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
