// Matrix product with bf16 weights on AMX tiles. Every number of tokens takes the same path: a tile
// of fewer rows runs the same instructions, so a row gets the same bits in any batch. Per output,
// each 32 columns are summed in two chains (even and odd columns), whose sum is added to the
// accumulator.
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/amx/amx.h"
#include "kernels/cpu/amx/tiles.h"
#include "kernels/cpu/matmul_tile.h"
#include "kernels/cpu/tables.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

static_assert(kPanelRows == 2 * kTileRows);
constexpr std::int64_t kStepBytes = kPanelRows * 64;   // of a panel
constexpr std::int64_t kPanelStride = kPanelRows * 4;  // from pair to pair of columns
constexpr std::int64_t kTokens = 2 * kTileRows;        // at a time
constexpr std::int64_t kChunkSteps = 16;         // whose weights stay in the first-level cache
constexpr std::int64_t kGroupBytes = 512 << 10;  // activations that stay in the second-level cache
constexpr std::int64_t kMostBlocks = 16;         // of tokens whose sums wait for the next chunk

// Registers: sums of tokens 0..15 and 16..31 by outputs 0..15 and 16..31, activations, weights.
constexpr int kC00 = 0, kC01 = 1, kC10 = 2, kC11 = 3, kA0 = 4, kA1 = 5, kB0 = 6, kB1 = 7;

struct alignas(64) Sums {
  float at[kTokens][kPanelRows];
};
constexpr std::int64_t kSumsStride = kPanelRows * sizeof(float);

TileShapes shapes_for(std::int64_t tokens) {
  TileShapes shapes;
  const std::int64_t first = tokens < kTileRows ? tokens : kTileRows;
  const std::int64_t second = tokens - first;
  for (const int tile : {kC00, kC01, kA0}) shapes.set(tile, first, kTileRowBytes);
  if (second > 0) {
    for (const int tile : {kC10, kC11, kA1}) shapes.set(tile, second, kTileRowBytes);
  }
  for (const int tile : {kB0, kB1}) shapes.set(tile, kTileRows, kTileRowBytes);
  return shapes;
}

/// Products of `steps` times 32 columns, added to the sums.
template <bool kTwo, bool kStream>
LLM_INLINE void multiply(const std::byte* w, const std::byte* x, std::int64_t x_row_bytes,
                         std::int64_t steps) {
  for (std::int64_t step = 0; step < steps; ++step) {
    load_tile<kB0>(w, kPanelStride);
    load_tile<kA0>(x, x_row_bytes);
    if constexpr (kStream) {
      for (std::int64_t line = 0; line < kStepBytes; line += 64) {
        __builtin_prefetch(w + kPrefetchBytes + line);
      }
    }
    multiply_bf16_tiles<kC00, kA0, kB0>();
    load_tile<kB1>(w + 64, kPanelStride);
    multiply_bf16_tiles<kC01, kA0, kB1>();
    if constexpr (kTwo) {
      load_tile<kA1>(x + kTileRows * x_row_bytes, x_row_bytes);
      multiply_bf16_tiles<kC10, kA1, kB0>();
      multiply_bf16_tiles<kC11, kA1, kB1>();
    }
    w += kStepBytes;
    x += 64;
  }
}

template <bool kTwo>
LLM_INLINE void zero_sums() {
  zero_tile<kC00>();
  zero_tile<kC01>();
  if constexpr (kTwo) {
    zero_tile<kC10>();
    zero_tile<kC11>();
  }
}

LLM_INLINE void load_sums(const Sums& sums) {
  load_tile<kC00>(&sums.at[0][0], kSumsStride);
  load_tile<kC01>(&sums.at[0][kTileRows], kSumsStride);
  load_tile<kC10>(&sums.at[kTileRows][0], kSumsStride);
  load_tile<kC11>(&sums.at[kTileRows][kTileRows], kSumsStride);
}

template <bool kTwo>
LLM_INLINE void store_sums(Sums& sums) {
  store_tile<kC00>(&sums.at[0][0], kSumsStride);
  store_tile<kC01>(&sums.at[0][kTileRows], kSumsStride);
  if constexpr (kTwo) {
    store_tile<kC10>(&sums.at[kTileRows][0], kSumsStride);
    store_tile<kC11>(&sums.at[kTileRows][kTileRows], kSumsStride);
  }
}

LLM_INLINE void finish(const TilePlace& at, std::int64_t tokens, const Sums& sums) {
  for (std::int64_t t = 0; t < tokens; ++t) {
    const F32 row[kPanelVectors] = {load(sums.at[t]), load(sums.at[t] + kLanes)};
    finish_row(at, t, row);
  }
}

/// One block of up to kTokens tokens and one panel, all columns at once.
template <bool kTwo, bool kStream>
void block(const TilePlace& at, std::int64_t tokens, std::int64_t steps) {
  Sums sums;
  zero_sums<kTwo>();
  multiply<kTwo, kStream>(at.weights(), at.input(), at.x_row_bytes, steps);
  store_sums<kTwo>(sums);
  finish(at, tokens, sums);
}

/// Full blocks of tokens [at.token, at.token + kTokens * blocks) and one panel: chunk by chunk of
/// columns, the sums of all blocks waiting in `sums`.
void blocks_by_chunks(const TilePlace& first, std::int64_t blocks, std::int64_t steps, Sums* sums) {
  for (std::int64_t step = 0; step < steps; step += kChunkSteps) {
    const std::int64_t n = steps - step < kChunkSteps ? steps - step : kChunkSteps;
    for (std::int64_t b = 0; b < blocks; ++b) {
      TilePlace at = first;
      at.token += b * kTokens;
      if (step == 0) {
        zero_sums<true>();
      } else {
        load_sums(sums[b]);
      }
      // The first block brings the weights from memory.
      if (b == 0) {
        multiply<true, true>(at.weights() + step * kStepBytes, at.input() + step * 64,
                             at.x_row_bytes, n);
      } else {
        multiply<true, false>(at.weights() + step * kStepBytes, at.input() + step * 64,
                              at.x_row_bytes, n);
      }
      store_sums<true>(sums[b]);
      if (step + n == steps) finish(at, kTokens, sums[b]);
    }
  }
}

}  // namespace

std::size_t matmul_bf16_scratch_bytes() {
  return static_cast<std::size_t>(kMostBlocks) * sizeof(Sums);
}

void matmul_bf16(const MatmulArgs& args, std::int64_t panel_begin, std::int64_t panel_end,
                 std::byte* scratch) {
  const auto x_row_bytes =
      static_cast<std::int64_t>(avx512_bf16::kOps.input_row_bytes(args.w->input, args.w->cols));
  const std::int64_t steps = (args.w->cols + kBf16Columns - 1) / kBf16Columns;
  std::int64_t group = kGroupBytes / (kTokens * x_row_bytes);
  group = group < 1 ? 1 : group > kMostBlocks ? kMostBlocks : group;
  std::int64_t token = 0;
  configure_tiles(shapes_for(kTokens));
  while (args.tokens - token >= kTokens) {
    const std::int64_t left = (args.tokens - token) / kTokens;
    const std::int64_t blocks = left < group ? left : group;
    for (std::int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const TilePlace at{&args, panel, token, x_row_bytes};
      blocks_by_chunks(at, blocks, steps, reinterpret_cast<Sums*>(scratch));
    }
    token += blocks * kTokens;
  }
  const std::int64_t rest = args.tokens - token;
  if (rest > 0) {
    configure_tiles(shapes_for(rest));
    for (std::int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const TilePlace at{&args, panel, token, x_row_bytes};
      const bool from_memory = token == 0;
      if (rest > kTileRows) {
        from_memory ? block<true, true>(at, rest, steps) : block<true, false>(at, rest, steps);
      } else {
        from_memory ? block<false, true>(at, rest, steps) : block<false, false>(at, rest, steps);
      }
    }
  }
  release_tiles();
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
