// Pages of a bf16 cache whose products run on tiles. Each kv head has its keys and then its values,
// both as the pairs that a tile of B holds:
//   keys    [padded k_dim / 2][kKvPageTokens][2]   pairs of components, zeros in the padding
//   values  [kKvPageTokens / 2][padded v_dim][2]   pairs of positions, zeros in the padding
// Included after isa.h.
#pragma once

#include "kernels/cpu/kv_page.h"
#include "kernels/cpu/layout.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

LLM_INLINE std::int64_t padded_k_dim(const KvShape& shape) {
  return (shape.k_dim + kBf16Columns - 1) / kBf16Columns * kBf16Columns;
}

constexpr std::int64_t kKeyPairRowBytes = kPage * 4;
LLM_INLINE std::int64_t value_pair_row_bytes(const KvShape& shape) {
  return padded_v_dim(shape) * 4;
}

LLM_INLINE std::int64_t key_pairs_bytes(const KvShape& shape) {
  return padded_k_dim(shape) / 2 * kKeyPairRowBytes;
}
LLM_INLINE std::int64_t value_pairs_bytes(const KvShape& shape) {
  return kPage / 2 * value_pair_row_bytes(shape);
}
/// Of one kv head.
LLM_INLINE std::int64_t head_pairs_bytes(const KvShape& shape) {
  return key_pairs_bytes(shape) + value_pairs_bytes(shape);
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
