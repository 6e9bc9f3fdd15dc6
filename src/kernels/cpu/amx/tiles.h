// AMX tile registers (Intel SDM volume 1, chapter 18): eight of them, each up to 16 rows of 64
// bytes. A product adds A (rows x K) times B to C; B holds four bytes of K for each of 16 columns
// in a row. Compilers know the registers only by number, and GCC 12 does not know that its own
// intrinsics read memory, hence the assembly. Included after isa.h.
#pragma once

#include "kernels/cpu/isa.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

constexpr int kTileRows = 16;
constexpr int kTileRowBytes = 64;

/// Shape of each register, as LDTILECFG reads it.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
  LLM_INLINE void set(int tile, std::int64_t n_rows, int n_row_bytes) {
    rows[tile] = static_cast<std::uint8_t>(n_rows);
    row_bytes[tile] = static_cast<std::uint16_t>(n_row_bytes);
  }
};
static_assert(sizeof(TileShapes) == 64);

/// Sets the shapes on this thread; the registers are then zero.
LLM_INLINE void configure_tiles(const TileShapes& shapes) {
  asm volatile("ldtilecfg %0" : : "m"(shapes));
}
/// Back to the initial state, which costs nothing to save at a switch of threads.
LLM_INLINE void release_tiles() { asm volatile("tilerelease"); }

template <int kTile>
LLM_INLINE void zero_tile() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
template <int kTile>
LLM_INLINE void load_tile(const void* p, std::int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
LLM_INLINE void store_tile(void* p, std::int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
}
/// C += A * B in pairs of bf16: even and odd columns are summed apart in f32, then added.
template <int kC, int kA, int kB>
LLM_INLINE void multiply_bf16_tiles() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
}
}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
