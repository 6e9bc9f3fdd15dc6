// Layout of a page of the KV cache. Each kv head has its keys transposed and then its values, in
// the cache's dtype:
//   keys          [k_dim][kKvPageTokens]
//   key scales    [groups of k_dim][kKvPageTokens]   q8_0 only
//   values        [kKvPageTokens][padded v_dim], zeros in the padding
//   value scales  [groups of v_dim][kKvPageTokens]   q8_0 only
// Values and their scales are absent where they are in the keys. A group is kQuantBlock consecutive
// components of one position, with an f32 scale: wide enough for whatever a model computes, where
// an f16 would overflow or lose small ones. The scales of all positions lie side by side: for
// logits, a register of them multiplies a group's sum once, so that a component costs a conversion
// and a product, like f16; for outputs the positions of a group are read in a row.
// Included after isa.h.
#pragma once

#include "kernels/cpu/layout.h"
#include "kernels/kernels.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

constexpr int kPage = static_cast<int>(kKvPageTokens);
constexpr int kPageVectors = kPage / kLanes;
constexpr std::int64_t kValueAlign = 16;  // whole vectors on every instruction set
constexpr std::int64_t kPartAlign = 64;   // of the parts of a page, in bytes

struct KvF32 {
  using Element = float;
  static constexpr bool kScaled = false;
  LLM_INLINE static F32 read(const float* p) { return load(p); }
  LLM_INLINE static void write(float* p, F32 x) { store(p, x); }
};
struct KvF16 {
  using Element = std::uint16_t;
  static constexpr bool kScaled = false;
  LLM_INLINE static F32 read(const std::uint16_t* p) { return load_f16(p); }
  LLM_INLINE static void write(std::uint16_t* p, F32 x) { store_f16(p, x); }
};
struct KvBf16 {
  using Element = std::uint16_t;
  static constexpr bool kScaled = false;
  LLM_INLINE static F32 read(const std::uint16_t* p) { return load_bf16(p); }
  LLM_INLINE static void write(std::uint16_t* p, F32 x) { store_bf16(p, x); }
};
struct KvQ8 {
  using Element = std::uint8_t;  // the bits of a signed integer
  static constexpr bool kScaled = true;
  LLM_INLINE static F32 read(const std::uint8_t* p) { return load_i8(p); }  // without its scale
};

LLM_INLINE std::int64_t padded_v_dim(const KvShape& shape) {
  return (shape.v_dim + kValueAlign - 1) / kValueAlign * kValueAlign;
}

/// One kv head's share of a page: where its parts begin, and its size, in bytes.
struct HeadLayout {
  std::int64_t key_scales, values, value_scales, bytes;
};

template <class Kv>
LLM_INLINE HeadLayout head_layout(const KvShape& shape) {
  constexpr auto kElement = static_cast<std::int64_t>(sizeof(typename Kv::Element));
  const auto scale_bytes = [](std::int64_t dim) LLM_LAMBDA_INLINE {
    return Kv::kScaled ? (dim + kQuantBlock - 1) / kQuantBlock * kPage * 4 : 0;
  };
  HeadLayout at;
  const std::int64_t key_bytes = kPage * shape.k_dim * kElement;
  at.key_scales = (key_bytes + kPartAlign - 1) / kPartAlign * kPartAlign;
  at.values = at.key_scales + scale_bytes(shape.k_dim);
  at.value_scales = at.values;
  at.bytes = at.values;
  if (!shape.values_in_keys) {
    at.value_scales += kPage * padded_v_dim(shape) * kElement;
    at.bytes = at.value_scales + scale_bytes(shape.v_dim);
  }
  return at;
}

}  // namespace
}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
