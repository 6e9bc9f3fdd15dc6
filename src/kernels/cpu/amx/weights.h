// How each type of weights gets into tiles: where a run of 32-column steps of a panel lies in the
// form that tiles load, [part][pair of columns][output][2], kPartBytes per part. Included after
// isa.h.
#pragma once

#include "kernels/cpu/amx/bf16_parts.h"
#include "kernels/cpu/amx/tiles.h"
#include "kernels/cpu/matmul_tile.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

static_assert(kPanelRows == 2 * kTileRows);
constexpr std::int64_t kPartBytes = kPanelRows * 64;
constexpr std::int64_t kPairBytes = kPanelRows * 4;

/// bf16: the panel is in that form.
struct Bf16Weights {
  static constexpr int kParts = 1;
  static constexpr bool kUnpacked = false;

  LLM_INLINE static const std::byte* steps(const std::byte* panel, std::int64_t /*cols*/,
                                           std::int64_t first, std::int64_t /*count*/,
                                           std::byte* /*buffer*/) {
    return panel + first * kPartBytes;
  }
};

/// f16: the two parts of bf16_parts.h.
struct F16Weights {
  static constexpr int kParts = 2;
  static constexpr bool kUnpacked = true;

  /// Fills the buffer with `count` steps and returns it.
  LLM_INLINE static const std::byte* steps(const std::byte* panel, std::int64_t cols,
                                           std::int64_t first, std::int64_t count,
                                           std::byte* buffer) {
    for (std::int64_t step = 0; step < count; ++step) {
      const std::int64_t column = (first + step) * kBf16Columns;
      const std::byte* from = panel + column * kColumnBytes;
      std::byte* to = buffer + step * kParts * kPartBytes;
      if (cols - column >= kBf16Columns) {
        unpack<true>(from, kBf16Columns, to);
      } else {
        unpack<false>(from, cols - column, to);
      }
    }
    return buffer;
  }

  static constexpr std::int64_t kColumnBytes = kPanelRows * 2;

 private:
  LLM_INLINE static const std::uint16_t* vector(const std::byte* column, int v) {
    return reinterpret_cast<const std::uint16_t*>(column) + v * kLanes;
  }

  /// One step, of `left` columns and zeros; kWhole: of all 32.
  template <bool kWhole>
  LLM_INLINE static void unpack(const std::byte* column, std::int64_t left, std::byte* to) {
    for (std::int64_t c = 0; c < kBf16Columns; c += 2) {
      __builtin_prefetch(column + kPrefetchBytes);
      __builtin_prefetch(column + kPrefetchBytes + kColumnBytes);
      LLM_UNROLL
      for (int v = 0; v < kPanelVectors; ++v) {
        const F32 even = kWhole || c < left ? load_f16(vector(column, v)) : zero();
        const F32 odd =
            kWhole || c + 1 < left ? load_f16(vector(column + kColumnBytes, v)) : zero();
        const PairParts parts = split_pairs(even, odd);
        _mm512_store_si512(to + v * 64, parts.high);
        _mm512_store_si512(to + kPartBytes + v * 64, parts.low);
      }
      column += 2 * kColumnBytes;
      to += kPairBytes;
    }
  }
};

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
