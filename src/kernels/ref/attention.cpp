// Attention over the paged cache, as written in its contract: all logits of a query, then softmax,
// then the weighted sum of values.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/half.h"
#include "kernels/ref/ref.h"

namespace llm::kernels::ref {
namespace {

std::size_t element_bytes(DType dtype) { return dtype_info(dtype).block_bytes; }

std::size_t index(std::int64_t a, std::int64_t n, std::int64_t b) {
  return static_cast<std::size_t>(a * n + b);
}

std::size_t head_elements(const KvShape& shape) {
  return static_cast<std::size_t>(kKvPageTokens) *
         static_cast<std::size_t>(shape.k_dim + (shape.values_in_keys ? 0 : shape.v_dim));
}

void store_element(DType dtype, std::byte* base, std::size_t i, float value) {
  if (dtype == DType::f32) {
    reinterpret_cast<float*>(base)[i] = value;
  } else {
    reinterpret_cast<std::uint16_t*>(base)[i] =
        dtype == DType::f16 ? core::f32_to_f16(value) : core::f32_to_bf16(value);
  }
}

double load_element(DType dtype, const std::byte* base, std::size_t i) {
  if (dtype == DType::f32) return reinterpret_cast<const float*>(base)[i];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(base)[i];
  return dtype == DType::f16 ? core::f16_to_f32(bits) : core::bf16_to_f32(bits);
}

/// Where the keys of `position` of one kv head begin, and the values of the page's slot.
struct Slot {
  const std::byte* head;  // keys (kKvPageTokens, k_dim), values (kKvPageTokens, v_dim)
  std::int64_t slot;
};

Slot find_slot(const AttentionArgs& args, const AttentionRow& row, int kv_head,
               std::int64_t position) {
  const std::byte* page =
      args.layer +
      static_cast<std::size_t>(row.pages[position / kKvPageTokens]) * kv_page_bytes(args.kv);
  const std::size_t head = static_cast<std::size_t>(kv_head) * head_elements(args.kv);
  return {page + head * element_bytes(args.kv.dtype), position % kKvPageTokens};
}

double logit(const AttentionArgs& args, const AttentionRow& row, const float* q, int kv_head,
             std::int64_t position) {
  const Slot at = find_slot(args, row, kv_head, position);
  double dot = 0;
  for (int d = 0; d < args.kv.k_dim; ++d) {
    dot += q[d] * load_element(args.kv.dtype, at.head, index(at.slot, args.kv.k_dim, d));
  }
  const double scaled = dot * args.scale;
  return args.softcap > 0 ? args.softcap * std::tanh(scaled / args.softcap) : scaled;
}

void attend_head(const AttentionArgs& args, const AttentionRow& row, int head, int kv_head,
                 double* sums /* (v_dim) */) {
  const float* q = row.q + static_cast<std::ptrdiff_t>(head) * args.kv.k_dim;
  const std::int64_t first =
      args.window > 0 ? std::max<std::int64_t>(0, row.position - args.window + 1) : 0;
  // Two passes over the logits instead of storing them: no length limit, no allocation.
  double largest = -std::numeric_limits<double>::infinity();
  for (std::int64_t p = first; p <= row.position; ++p) {
    largest = std::max(largest, logit(args, row, q, kv_head, p));
  }
  double total = 0;
  std::fill_n(sums, args.kv.v_dim, 0.0);
  for (std::int64_t p = first; p <= row.position; ++p) {
    const double weight = std::exp(logit(args, row, q, kv_head, p) - largest);
    const Slot at = find_slot(args, row, kv_head, p);
    const std::size_t values = args.kv.values_in_keys ? index(at.slot, args.kv.k_dim, 0)
                                                      : index(kKvPageTokens, args.kv.k_dim, 0) +
                                                            index(at.slot, args.kv.v_dim, 0);
    total += weight;
    for (int d = 0; d < args.kv.v_dim; ++d) {
      sums[d] +=
          weight * load_element(args.kv.dtype, at.head, values + static_cast<std::size_t>(d));
    }
  }
  float* out = row.out + static_cast<std::ptrdiff_t>(head) * args.kv.v_dim;
  for (int d = 0; d < args.kv.v_dim; ++d) out[d] = static_cast<float>(sums[d] / total);
}

}  // namespace

std::size_t kv_page_bytes(const KvShape& shape) {
  const std::size_t bytes = static_cast<std::size_t>(shape.n_kv_heads) * head_elements(shape) *
                            element_bytes(shape.dtype);
  return (bytes + 63) / 64 * 64;
}

void kv_store(const KvShape& shape, std::byte* page, std::int64_t slot, const float* k,
              const float* v) {
  for (int h = 0; h < shape.n_kv_heads; ++h) {
    const std::size_t head = static_cast<std::size_t>(h) * head_elements(shape);
    const std::size_t values = head + index(kKvPageTokens, shape.k_dim, 0);
    for (int d = 0; d < shape.k_dim; ++d) {
      store_element(shape.dtype, page, head + index(slot, shape.k_dim, d),
                    k[index(h, shape.k_dim, d)]);
    }
    if (shape.values_in_keys) continue;
    for (int d = 0; d < shape.v_dim; ++d) {
      store_element(shape.dtype, page, values + index(slot, shape.v_dim, d),
                    v[index(h, shape.v_dim, d)]);
    }
  }
}

void attention(const AttentionArgs& args, const AttentionRow* rows, std::int64_t n_rows,
               int kv_head, std::byte* scratch) {
  const int group = args.n_heads / args.kv.n_kv_heads;
  for (std::int64_t r = 0; r < n_rows; ++r) {
    for (int g = 0; g < group; ++g) {
      attend_head(args, rows[r], kv_head * group + g, kv_head, reinterpret_cast<double*>(scratch));
    }
  }
}

std::size_t attention_scratch_bytes(const AttentionArgs& args) {
  return static_cast<std::size_t>(args.kv.v_dim) * sizeof(double);
}

}  // namespace llm::kernels::ref
