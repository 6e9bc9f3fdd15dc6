// Writing keys and values into pages of the cache.
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/backend.h"
#include "kernels/cpu/kv_page.h"
#include "kernels/cpu/quantize.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// One kv head's share of the page.
template <class Kv>
void store_key(std::byte* head, const HeadLayout&, int k_dim, std::int64_t slot, const float* k) {
  using Element = typename Kv::Element;
  auto* keys = reinterpret_cast<Element*>(head);
  for (int d = 0; d < k_dim; d += kLanes) {
    const std::int64_t n = k_dim - d;
    Element converted[kLanes];
    Kv::write(converted, n >= kLanes ? load(k + d) : load_partial(k + d, n));
    for (int lane = 0; lane < kLanes && lane < n; ++lane) {
      keys[(d + lane) * kPage + slot] = converted[lane];
    }
  }
}

template <class Kv>
void store_value(std::byte* head, const HeadLayout& at, int v_dim, std::int64_t v_stride,
                 std::int64_t slot, const float* v) {
  auto* values = reinterpret_cast<typename Kv::Element*>(head + at.values) + slot * v_stride;
  for (std::int64_t d = 0; d < v_stride; d += kLanes) {
    const std::int64_t n = v_dim - d;
    F32 x = zero();
    if (n >= kLanes) {
      x = load(v + d);
    } else if (n > 0) {
      x = load_partial(v + d, n);
    }
    Kv::write(values + d, x);
  }
}

template <>
void store_key<KvQ8>(std::byte* head, const HeadLayout& at, int k_dim, std::int64_t slot,
                     const float* k) {
  auto* keys = reinterpret_cast<std::int8_t*>(head);
  auto* scales = reinterpret_cast<float*>(head + at.key_scales);
  for (int d = 0; d < k_dim; d += kQuantBlock) {
    std::int8_t q[kQuantBlock];
    scales[d / kQuantBlock * kPage + slot] = quantize_to_i8(k + d, k_dim - d, q);
    for (int i = 0; i < kQuantBlock && d + i < k_dim; ++i) keys[(d + i) * kPage + slot] = q[i];
  }
}

template <>
void store_value<KvQ8>(std::byte* head, const HeadLayout& at, int v_dim, std::int64_t v_stride,
                       std::int64_t slot, const float* v) {
  auto* values = reinterpret_cast<std::int8_t*>(head + at.values) + slot * v_stride;
  auto* scales = reinterpret_cast<float*>(head + at.value_scales);
  for (std::int64_t d = 0; d < v_dim; d += kQuantBlock) {
    std::int8_t q[kQuantBlock];
    scales[d / kQuantBlock * kPage + slot] = quantize_to_i8(v + d, v_dim - d, q);
    for (std::int64_t i = 0; i < kQuantBlock && d + i < v_stride; ++i) values[d + i] = q[i];
  }
}

template <class Kv>
void store_position(const KvShape& shape, std::byte* page, std::int64_t slot, const float* k,
                    const float* v) {
  const HeadLayout at = head_layout<Kv>(shape);
  for (int h = 0; h < shape.n_kv_heads; ++h, page += at.bytes) {
    store_key<Kv>(page, at, shape.k_dim, slot, k + h * shape.k_dim);
    if (shape.values_in_keys) continue;
    store_value<Kv>(page, at, shape.v_dim, padded_v_dim(shape), slot, v + h * shape.v_dim);
  }
}

}  // namespace

std::size_t kv_page_bytes(const KvShape& shape) {
  std::int64_t head = 0;
  switch (shape.dtype) {
    case DType::q8_0:
      head = head_layout<KvQ8>(shape).bytes;
      break;
    case DType::f16:
    case DType::bf16:
      head = head_layout<KvF16>(shape).bytes;
      break;
    default:
      head = head_layout<KvF32>(shape).bytes;
  }
  return static_cast<std::size_t>(shape.n_kv_heads * head);
}

void kv_store(const KvShape& shape, std::byte* page, std::int64_t slot, const float* k,
              const float* v) {
  switch (shape.dtype) {
    case DType::f16:
      return store_position<KvF16>(shape, page, slot, k, v);
    case DType::bf16:
      return store_position<KvBf16>(shape, page, slot, k, v);
    case DType::q8_0:
      return store_position<KvQ8>(shape, page, slot, k, v);
    default:
      return store_position<KvF32>(shape, page, slot, k, v);
  }
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
