// What the float and the integer matrix product share: the walk over panels and tokens, and the
// end of a tile. Included after isa.h.
//
// A tile is one panel (kPanelVectors registers of outputs) times up to kMaxTokens tokens. Whatever
// the number of tokens in it, each output has one accumulator that steps through all columns.
#pragma once

#include "kernels/cpu/layout.h"
#include "kernels/kernels.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

constexpr std::int64_t kPanelRows = kPanelVectors * kLanes;

/// Where a tile lies: its panel, and its first token.
struct TilePlace {
  const MatmulArgs* args;
  std::int64_t panel;
  std::int64_t token;
  std::int64_t x_row_bytes;
  /// What it fetches into the second-level cache on its way, for tiles that come later.
  const std::byte* fetch = nullptr;
  std::int64_t fetch_lines = 0;

  LLM_INLINE const std::byte* weights() const {
    return args->w->data + panel * static_cast<std::int64_t>(args->w->panel_bytes);
  }
  LLM_INLINE const std::byte* input() const { return args->x + token * x_row_bytes; }
};

using TileFn = void (*)(const TilePlace& at);

/// Adds bias and the previous contents as asked and stores the outputs of one token: kVectors
/// registers of the panel's, from `first` on.
template <int kVectors = kPanelVectors>
LLM_INLINE void finish_row(const TilePlace& at, std::int64_t token, const F32* sums,
                           int first = 0) {
  const MatmulArgs& args = *at.args;
  for (int v = 0; v < kVectors; ++v) {
    const std::int64_t row = at.panel * kPanelRows + (first + v) * kLanes;
    const std::int64_t n = args.w->rows - row;
    if (n <= 0) return;
    float* y = args.y + (at.token + token) * args.y_stride + row;
    F32 sum = sums[v];
    if (n >= kLanes) {
      if (args.bias != nullptr) sum = sum + load(args.bias + row);
      if (args.accumulate) sum = load(y) + sum;
      store(y, sum);
    } else {
      if (args.bias != nullptr) sum = sum + load_partial(args.bias + row, n);
      if (args.accumulate) sum = load_partial(y, n) + sum;
      store_partial(y, sum, n);
    }
  }
}

/// With few tokens the weights stream from memory: tiles up to this size fetch them that far ahead.
constexpr int kStreamTokens = 8;
constexpr std::int64_t kPrefetchBytes = 4096;

/// Weights that should stay in the second-level cache while all tokens pass by.
constexpr std::int64_t kPanelGroupBytes = 512 << 10;

/// Tokens of the next tile, so that all have about the same: 13 are 7 and 6, not 12 and 1.
LLM_INLINE std::int64_t even_tile(std::int64_t left, std::int64_t most) {
  const std::int64_t tiles = (left + most - 1) / most;
  return (left + tiles - 1) / tiles;
}

/// Runs tiles over panels [begin, end) and all tokens; tile_of[n - 1] handles n tokens.
LLM_INLINE void run_tiles(const MatmulArgs& args, std::int64_t begin, std::int64_t end,
                          std::int64_t x_row_bytes, const TileFn* tile_of,
                          std::int64_t max_tokens) {
  std::int64_t group = kPanelGroupBytes / (static_cast<std::int64_t>(args.w->panel_bytes) + 1);
  if (group < 1) group = 1;
  for (std::int64_t first = begin; first < end; first += group) {
    const std::int64_t last = first + group < end ? first + group : end;
    for (std::int64_t token = 0; token < args.tokens;) {
      const std::int64_t n = even_tile(args.tokens - token, max_tokens);
      for (std::int64_t panel = first; panel < last; ++panel) {
        tile_of[n - 1]({&args, panel, token, x_row_bytes});
      }
      token += n;
    }
  }
}

/// The same for a few tiles of tokens: panel by panel, whose tiles share the fetching of the next
/// one. If its first tile alone fetched it, that would wait for memory, and memory for the others.
LLM_INLINE void stream_tiles(const MatmulArgs& args, std::int64_t begin, std::int64_t end,
                             std::int64_t x_row_bytes, const TileFn* tile_of,
                             std::int64_t max_tokens) {
  const auto panel_bytes = static_cast<std::int64_t>(args.w->panel_bytes);
  for (std::int64_t panel = begin; panel < end; ++panel) {
    const std::byte* next = args.w->data + (panel + 1) * panel_bytes;
    const std::int64_t lines = panel + 1 < end ? panel_bytes / 64 : 0;
    for (std::int64_t token = 0; token < args.tokens;) {
      const std::int64_t n = even_tile(args.tokens - token, max_tokens);
      const std::int64_t fetched = lines * token / args.tokens;
      tile_of[n - 1]({&args, panel, token, x_row_bytes, next + fetched * 64,
                      lines * (token + n) / args.tokens - fetched});
      token += n;
    }
  }
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
