// Writing keys and values into pages of pairs.
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/amx/amx.h"
#include "kernels/cpu/amx/kv_pairs.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// Components [d, d + kLanes) of `row` as bf16, zeros beyond `dim`.
LLM_INLINE void read_bf16(const float* row, std::int64_t d, std::int64_t dim, std::uint16_t* out) {
  const std::int64_t left = dim - d;
  store_bf16(out, left >= kLanes ? load(row + d) : left > 0 ? load_partial(row + d, left) : zero());
}

void store_key(const KvShape& shape, std::byte* keys, std::int64_t slot, const float* k) {
  auto* pairs = reinterpret_cast<std::uint16_t(*)[kPage][2]>(keys);
  for (std::int64_t d = 0; d < padded_k_dim(shape); d += kLanes) {
    std::uint16_t components[kLanes];
    read_bf16(k, d, shape.k_dim, components);
    for (int lane = 0; lane < kLanes; ++lane) {
      pairs[(d + lane) / 2][slot][lane % 2] = components[lane];
    }
  }
}

void store_value(const KvShape& shape, std::byte* values, std::int64_t slot, const float* v) {
  auto* pairs =
      reinterpret_cast<std::uint16_t*>(values + slot / 2 * value_pair_row_bytes(shape)) + slot % 2;
  for (std::int64_t d = 0; d < padded_v_dim(shape); d += kLanes) {
    std::uint16_t components[kLanes];
    read_bf16(v, d, shape.v_dim, components);
    for (int lane = 0; lane < kLanes; ++lane) pairs[2 * (d + lane)] = components[lane];
  }
}

}  // namespace

std::size_t kv_pairs_page_bytes(const KvShape& shape) {
  return static_cast<std::size_t>(shape.n_kv_heads * head_pairs_bytes(shape));
}

void kv_store_pairs(const KvShape& shape, std::byte* page, std::int64_t slot, const float* k,
                    const float* v) {
  for (int h = 0; h < shape.n_kv_heads; ++h, page += head_pairs_bytes(shape)) {
    store_key(shape, page, slot, k + h * shape.k_dim);
    store_value(shape, page + key_pairs_bytes(shape), slot, v + h * shape.v_dim);
  }
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
