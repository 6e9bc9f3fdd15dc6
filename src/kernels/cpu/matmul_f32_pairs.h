// Many tokens times f32 weights, where 32 registers hold two panels by six tokens: for 24 products
// that loads 10 values, one panel by twelve tokens loads 14. Included after isa.h.
//
// The sums of an output are taken in the same order as by the tiles of one panel: its accumulator
// rests in memory between chunks of columns.
#pragma once

#include "kernels/cpu/backend.h"
#include "kernels/cpu/matmul_tile.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// With 16 registers there is no room for them.
constexpr bool kPairsOfF32Panels = kFloatTokens >= 12;

constexpr int kPairVectors = 2 * kPanelVectors;
constexpr int kPairTokens = 6;
/// Two chunks of weights, the one in hand and the next, and the inputs of kPairMostTokens fit in
/// the second-level cache.
constexpr std::int64_t kPairColumns = 1024;
constexpr std::int64_t kPairMostTokens = 192;
/// How far ahead weights are fetched into the first-level cache.
constexpr std::int64_t kPairPrefetchBytes = 1024;
/// Of the next chunk, fetched per column: all of it by kPairMostTokens.
constexpr std::int64_t kNextBytesPerColumn = 8;

constexpr std::size_t kPairScratchBytes = kPairMostTokens * kPairVectors * kLanes * sizeof(float);

/// Columns [begin, end) of two panels.
struct PairChunk {
  const PackedMatrix* w;
  std::int64_t panel;  // and the next one
  std::int64_t begin, end;

  const std::byte* weights(int which) const {
    return w->data + (panel + which) * static_cast<std::int64_t>(w->panel_bytes) +
           begin * kPanelRows * static_cast<std::int64_t>(sizeof(float));
  }
  std::int64_t panel_bytes() const {
    return (end - begin) * kPanelRows * static_cast<std::int64_t>(sizeof(float));
  }
  /// The weights that lie `at` bytes into both parts, one behind the other; those of the first part
  /// again beyond their end.
  const std::byte* at(std::int64_t at) const {
    const std::int64_t bytes = panel_bytes();
    if (at < bytes || at >= 2 * bytes) return weights(0) + at % bytes;
    return weights(1) + at - bytes;
  }
};

template <int kTokens>
void pair_tile(const MatmulArgs& args, const PairChunk& chunk, std::int64_t token,
               std::int64_t x_row_bytes, const std::byte* next, float* resting) {
  const TilePlace first{&args, chunk.panel, token, x_row_bytes};
  const auto* x = reinterpret_cast<const float*>(first.input());
  const auto x_stride = x_row_bytes / static_cast<std::int64_t>(sizeof(float));
  F32 sums[kTokens][kPairVectors];
  for (int t = 0; t < kTokens; ++t) {
    LLM_UNROLL
    for (int v = 0; v < kPairVectors; ++v) {
      sums[t][v] = chunk.begin == 0 ? zero() : load(resting + (t * kPairVectors + v) * kLanes);
    }
  }
  const std::byte* w = chunk.weights(0);
  const std::int64_t second = chunk.weights(1) - w;
  for (std::int64_t column = chunk.begin; column < chunk.end; ++column) {
    F32 weights[kPairVectors];
    LLM_UNROLL
    for (int v = 0; v < kPairVectors; ++v) {
      const std::byte* from = w + v / kPanelVectors * second + v % kPanelVectors * kLanes * 4;
      weights[v] = load(reinterpret_cast<const float*>(from));
      __builtin_prefetch(from + kPairPrefetchBytes);
    }
    __builtin_prefetch(next, 0, 2);
    LLM_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const F32 input = splat(x[t * x_stride + column]);
      LLM_UNROLL
      for (int v = 0; v < kPairVectors; ++v) sums[t][v] = mul_add(weights[v], input, sums[t][v]);
    }
    w += kPanelRows * 4;
    next += kNextBytesPerColumn;
  }
  for (int t = 0; t < kTokens; ++t) {
    if (chunk.end == chunk.w->cols) {
      finish_row(first, t, sums[t]);
      finish_row({&args, chunk.panel + 1, token, x_row_bytes}, t, sums[t] + kPanelVectors);
    } else {
      for (int v = 0; v < kPairVectors; ++v) {
        store(resting + (t * kPairVectors + v) * kLanes, sums[t][v]);
      }
    }
  }
}

/// Panels [begin, end), an even number of them, of f32 weights, for all tokens.
LLM_INLINE void run_pairs(const MatmulArgs& args, std::int64_t begin, std::int64_t end,
                          float* scratch) {
  static constexpr void (*kTiles[kPairTokens])(const MatmulArgs&, const PairChunk&, std::int64_t,
                                               std::int64_t, const std::byte*, float*) = {
      pair_tile<1>, pair_tile<2>, pair_tile<3>, pair_tile<4>, pair_tile<5>, pair_tile<6>};
  const std::int64_t cols = args.w->cols;
  const auto x_row_bytes = static_cast<std::int64_t>(input_row_bytes(InputFormat::f32, cols));
  const auto chunk_at = [&](std::int64_t panel, std::int64_t column) LLM_LAMBDA_INLINE {
    return PairChunk{args.w, panel, column,
                     cols - column < kPairColumns ? cols : column + kPairColumns};
  };
  for (std::int64_t panel = begin; panel < end; panel += 2) {
    for (std::int64_t first = 0; first < args.tokens; first += kPairMostTokens) {
      const std::int64_t left = args.tokens - first;
      const std::int64_t last = first + (left < kPairMostTokens ? left : kPairMostTokens);
      for (PairChunk chunk = chunk_at(panel, 0);;) {
        PairChunk next = chunk_at(panel, chunk.end < cols ? chunk.end : 0);
        if (chunk.end == cols && last == args.tokens && panel + 2 < end) next.panel += 2;
        std::int64_t fetched = 0;
        float* resting = scratch;
        for (std::int64_t token = first; token < last;) {
          const std::int64_t n = even_tile(last - token, kPairTokens);
          kTiles[n - 1](args, chunk, token, x_row_bytes, next.at(fetched), resting);
          fetched += (chunk.end - chunk.begin) * kNextBytesPerColumn;
          resting += n * kPairVectors * kLanes;
          token += n;
        }
        if (chunk.end == cols) break;
        chunk = next;
      }
    }
  }
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
