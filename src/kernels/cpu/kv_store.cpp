// Writing keys and values into pages of the cache.
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/backend.h"
#include "kernels/cpu/kv_page.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

template <class Kv>
void store_position(const KvShape& shape, std::byte* page, std::int64_t slot, const float* k,
                    const float* v) {
  using Element = typename Kv::Element;
  const std::int64_t v_stride = padded_v_dim(shape);
  auto* keys = reinterpret_cast<Element*>(page);
  for (int h = 0; h < shape.n_kv_heads; ++h) {
    for (int d = 0; d < shape.k_dim; d += kLanes) {
      const std::int64_t n = shape.k_dim - d;
      Element converted[kLanes];
      Kv::write(converted, n >= kLanes ? load(k + d) : load_partial(k + d, n));
      for (int lane = 0; lane < kLanes && lane < n; ++lane) {
        keys[(d + lane) * kPage + slot] = converted[lane];
      }
    }
    if (shape.values_in_keys) {
      k += shape.k_dim;
      keys += head_elements(shape);
      continue;
    }
    Element* values = keys + kPage * shape.k_dim + slot * v_stride;
    for (std::int64_t d = 0; d < v_stride; d += kLanes) {
      const std::int64_t n = shape.v_dim - d;
      F32 x = zero();
      if (n >= kLanes) {
        x = load(v + d);
      } else if (n > 0) {
        x = load_partial(v + d, n);
      }
      Kv::write(values + d, x);
    }
    k += shape.k_dim;
    v += shape.v_dim;
    keys += head_elements(shape);
  }
}

}  // namespace

std::size_t kv_page_bytes(const KvShape& shape) {
  const std::int64_t element = shape.dtype == DType::f32 ? 4 : 2;
  return static_cast<std::size_t>(shape.n_kv_heads * head_elements(shape) * element);
}

void kv_store(const KvShape& shape, std::byte* page, std::int64_t slot, const float* k,
              const float* v) {
  switch (shape.dtype) {
    case DType::f16:
      return store_position<KvF16>(shape, page, slot, k, v);
    case DType::bf16:
      return store_position<KvBf16>(shape, page, slot, k, v);
    default:
      return store_position<KvF32>(shape, page, slot, k, v);
  }
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
