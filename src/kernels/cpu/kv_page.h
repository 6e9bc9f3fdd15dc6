// Layout of a page of the KV cache. Each kv head has its keys transposed and then its values, both
// in the cache's dtype:
//   keys    [k_dim][kKvPageTokens]
//   values  [kKvPageTokens][padded v_dim], zeros in the padding; absent where they are in the keys
// Included after isa.h.
#pragma once

#include "kernels/kernels.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

constexpr int kPage = static_cast<int>(kKvPageTokens);
constexpr int kPageVectors = kPage / kLanes;
constexpr std::int64_t kValueAlign = 16;  // whole vectors on every instruction set

struct KvF32 {
  using Element = float;
  LLM_INLINE static F32 read(const float* p) { return load(p); }
  LLM_INLINE static void write(float* p, F32 x) { store(p, x); }
};
struct KvF16 {
  using Element = std::uint16_t;
  LLM_INLINE static F32 read(const std::uint16_t* p) { return load_f16(p); }
  LLM_INLINE static void write(std::uint16_t* p, F32 x) { store_f16(p, x); }
};
struct KvBf16 {
  using Element = std::uint16_t;
  LLM_INLINE static F32 read(const std::uint16_t* p) { return load_bf16(p); }
  LLM_INLINE static void write(std::uint16_t* p, F32 x) { store_bf16(p, x); }
};

LLM_INLINE std::int64_t padded_v_dim(const KvShape& shape) {
  return (shape.v_dim + kValueAlign - 1) / kValueAlign * kValueAlign;
}

/// Elements of one kv head in a page.
LLM_INLINE std::int64_t head_elements(const KvShape& shape) {
  return kPage * (shape.k_dim + (shape.values_in_keys ? 0 : padded_v_dim(shape)));
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
