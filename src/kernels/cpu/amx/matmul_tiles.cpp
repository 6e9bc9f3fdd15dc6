// Matrix product on AMX tiles. Every number of tokens takes the same path: a tile of fewer rows
// runs the same instructions, so a row gets the same bits in any batch. Per output, each 32 columns
// are summed in two chains (even and odd columns), whose sum is added to the accumulator.
// Where activations come in two parts, a token has two rows, whose sums are added at the end; where
// weights do, a row is multiplied with one after the other. (one_token.h gets the same sums without
// tiles.)
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/amx/amx.h"
#include "kernels/cpu/amx/one_token.h"
#include "kernels/cpu/amx/weights.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

constexpr std::int64_t kRows = 2 * kTileRows;    // at a time
constexpr std::int64_t kChunkBytes = 32 << 10;   // of weights, in the first-level cache
constexpr std::int64_t kGroupBytes = 768 << 10;  // of activations, in the second-level cache
constexpr std::int64_t kMostBlocks = 16;         // of rows whose sums wait for the next chunk
constexpr std::int64_t kMostPanels = 4;          // whose sums wait with them

template <class Weights>
constexpr std::int64_t kChunkSteps = kChunkBytes / (kPartBytes * Weights::kParts);

// Registers: sums of rows 0..15 and 16..31 by outputs 0..15 and 16..31, activations, weights.
constexpr int kC00 = 0, kC01 = 1, kC10 = 2, kC11 = 3, kA0 = 4, kA1 = 5, kB0 = 6, kB1 = 7;

struct alignas(64) Sums {
  float at[kRows][kPanelRows];
};
constexpr std::int64_t kSumsStride = kPanelRows * sizeof(float);

struct Scratch {
  std::byte chunk[kChunkBytes];
  Sums sums[kMostPanels * kMostBlocks];
};

TileShapes shapes_for(std::int64_t rows) {
  TileShapes shapes;
  const std::int64_t first = rows < kTileRows ? rows : kTileRows;
  const std::int64_t second = rows - first;
  for (const int tile : {kC00, kC01, kA0}) shapes.set(tile, first, kTileRowBytes);
  if (second > 0) {
    for (const int tile : {kC10, kC11, kA1}) shapes.set(tile, second, kTileRowBytes);
  }
  for (const int tile : {kB0, kB1}) shapes.set(tile, kTileRows, kTileRowBytes);
  return shapes;
}

/// Products of `steps` times 32 columns, added to the sums.
template <int kParts, bool kTwo, bool kStream>
LLM_INLINE void multiply(const std::byte* w, const std::byte* x, std::int64_t x_row_bytes,
                         std::int64_t steps) {
  for (std::int64_t step = 0; step < steps; ++step, x += 64) {
    if constexpr (kStream) {
      for (std::int64_t line = 0; line < kPartBytes; line += 64) {
        __builtin_prefetch(w + kPrefetchBytes + line);
      }
    }
    load_tile<kA0>(x, x_row_bytes);
    if constexpr (kTwo) load_tile<kA1>(x + kTileRows * x_row_bytes, x_row_bytes);
    LLM_UNROLL
    for (int part = 0; part < kParts; ++part, w += kPartBytes) {
      load_tile<kB0>(w, kPairBytes);
      multiply_bf16_tiles<kC00, kA0, kB0>();
      load_tile<kB1>(w + 64, kPairBytes);
      multiply_bf16_tiles<kC01, kA0, kB1>();
      if constexpr (kTwo) {
        multiply_bf16_tiles<kC10, kA1, kB0>();
        multiply_bf16_tiles<kC11, kA1, kB1>();
      }
    }
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

/// One product, of weights of one kind: what all its pieces know. Rows of activations count from
/// `row_begin`, kParts of them per token.
template <class Weights>
struct Product {
  static constexpr int kParts = Weights::kParts;

  const MatmulArgs& args;
  std::int64_t x_row_bytes;  // of one part
  Scratch& scratch;
  std::int64_t steps = (args.w->cols + kBf16Columns - 1) / kBf16Columns;

  LLM_INLINE const std::byte* input(std::int64_t row, std::int64_t step) const {
    return args.x + row * x_row_bytes + step * 64;
  }
  /// Steps of weights ready to load, in `buffer` if they had to be unpacked.
  LLM_INLINE const std::byte* weights(std::int64_t panel, std::int64_t step, std::int64_t n,
                                      std::byte* buffer) const {
    const std::byte* data = args.w->data + panel * static_cast<std::int64_t>(args.w->panel_bytes);
    return Weights::steps(data, args.w->cols, step, n, buffer);
  }

  LLM_INLINE void finish(std::int64_t panel, std::int64_t row, std::int64_t rows,
                         const Sums& sums) const {
    const TilePlace at{&args, panel, row / kParts, x_row_bytes};
    for (std::int64_t r = 0; r < rows; r += kParts) {
      F32 outputs[kPanelVectors];
      for (int v = 0; v < kPanelVectors; ++v) {
        outputs[v] = load(sums.at[r] + v * kLanes);
        if constexpr (kParts == 2) outputs[v] = outputs[v] + load(sums.at[r + 1] + v * kLanes);
      }
      finish_row(at, r / kParts, outputs);
    }
  }

  /// One block of up to kRows rows and one panel, all columns at once. `kStream`: the weights come
  /// from memory.
  template <bool kTwo, bool kStream>
  void block(std::int64_t panel, std::int64_t row, std::int64_t rows) const {
    Sums& sums = scratch.sums[0];
    zero_sums<kTwo>();
    if constexpr (Weights::kUnpacked) {
      // The next step is unpacked first, and so while this one is multiplied.
      const auto slot = [&](std::int64_t step) {
        return scratch.chunk + step % 2 * kParts * kPartBytes;
      };
      weights(panel, 0, 1, slot(0));
      for (std::int64_t step = 0; step < steps; ++step) {
        if (step + 1 < steps) weights(panel, step + 1, 1, slot(step + 1));
        multiply<kParts, kTwo, false>(slot(step), input(row, step), x_row_bytes, 1);
      }
    } else {
      multiply<kParts, kTwo, kStream>(weights(panel, 0, steps, nullptr), input(row, 0), x_row_bytes,
                                      steps);
    }
    store_sums<kTwo>(sums);
    finish(panel, row, rows, sums);
  }

  /// Full blocks of rows from `row` on, and up to kMostPanels panels: chunk by chunk of columns, so
  /// that the activations of a chunk are in the cache for all panels, and its weights for all
  /// blocks.
  void blocks_by_chunks(std::int64_t row, std::int64_t blocks, std::int64_t panel_begin,
                        std::int64_t panel_end) const {
    constexpr std::int64_t kChunk = kChunkSteps<Weights>;
    for (std::int64_t step = 0; step < steps; step += kChunk) {
      const std::int64_t n = steps - step < kChunk ? steps - step : kChunk;
      Sums* sums = scratch.sums;
      for (std::int64_t panel = panel_begin; panel < panel_end; ++panel) {
        const std::byte* w = weights(panel, step, n, scratch.chunk);
        for (std::int64_t b = 0; b < blocks; ++b, ++sums) {
          const std::byte* x = input(row + b * kRows, step);
          if (step == 0) {
            zero_sums<true>();
          } else {
            load_sums(*sums);
          }
          // The first block brings the weights from memory.
          if (b == 0 && !Weights::kUnpacked) {
            multiply<kParts, true, true>(w, x, x_row_bytes, n);
          } else {
            multiply<kParts, true, false>(w, x, x_row_bytes, n);
          }
          store_sums<true>(*sums);
          if (step + n == steps) finish(panel, row + b * kRows, kRows, *sums);
        }
      }
    }
  }

  /// A single token, of two parts.
  void one(std::int64_t panel_begin, std::int64_t panel_end) const {
    for (std::int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const std::byte* data = args.w->data + panel * static_cast<std::int64_t>(args.w->panel_bytes);
      const OneTokenSums sums = one_token(data, args.w->cols, args.x, x_row_bytes);
      F32 outputs[kPanelVectors];
      for (int v = 0; v < kPanelVectors; ++v) outputs[v] = sums.at[0][v] + sums.at[1][v];
      finish_row(TilePlace{&args, panel, 0, x_row_bytes}, 0, outputs);
    }
  }

  void run(std::int64_t panel_begin, std::int64_t panel_end) const {
    constexpr std::int64_t kFit = kGroupBytes / (kRows * 64 * kChunkSteps<Weights>);
    constexpr std::int64_t kGroup = kFit < kMostBlocks ? kFit : kMostBlocks;
    if (kParts == 2 && args.tokens == 1) return one(panel_begin, panel_end);
    const std::int64_t rows = args.tokens * kParts;
    std::int64_t row = 0;
    configure_tiles(shapes_for(kRows));
    while (rows - row >= kRows) {
      const std::int64_t left = (rows - row) / kRows;
      const std::int64_t blocks = left < kGroup ? left : kGroup;
      for (std::int64_t panel = panel_begin; panel < panel_end; panel += kMostPanels) {
        const std::int64_t end = panel + kMostPanels < panel_end ? panel + kMostPanels : panel_end;
        blocks_by_chunks(row, blocks, panel, end);
      }
      row += blocks * kRows;
    }
    const std::int64_t rest = rows - row;
    if (rest > 0) {
      configure_tiles(shapes_for(rest));
      const bool from_memory = row == 0;
      for (std::int64_t panel = panel_begin; panel < panel_end; ++panel) {
        if (rest > kTileRows) {
          from_memory ? block<true, true>(panel, row, rest) : block<true, false>(panel, row, rest);
        } else {
          from_memory ? block<false, true>(panel, row, rest)
                      : block<false, false>(panel, row, rest);
        }
      }
    }
    release_tiles();
  }
};

}  // namespace

bool runs_on_tiles(DType weight) { return weight == DType::bf16 || weight == DType::f16; }

std::size_t matmul_tiles_scratch_bytes() { return sizeof(Scratch); }

void matmul_tiles(const MatmulArgs& args, std::int64_t x_row_bytes, std::int64_t panel_begin,
                  std::int64_t panel_end, std::byte* scratch) {
  Scratch& own = *reinterpret_cast<Scratch*>(scratch);
  if (args.w->dtype == DType::bf16) {
    Product<Bf16Weights>{args, x_row_bytes, own}.run(panel_begin, panel_end);
  } else {
    Product<F16Weights>{args, x_row_bytes / F16Weights::kParts, own}.run(panel_begin, panel_end);
  }
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
