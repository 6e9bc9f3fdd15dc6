// Attention over the paged cache, as written in its contract: all logits of a query, then softmax,
// then the weighted sum of values.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/half.h"
#include "kernels/ref/ref.h"

namespace llm::kernels::ref {
namespace {

std::size_t index(std::int64_t a, std::int64_t n, std::int64_t b) {
  return static_cast<std::size_t>(a * n + b);
}

// ---- One key or value of one position
// ------------------------------------------------------------

/// Consecutive components of q8_0: component i is scale * q[i].
struct Group {
  static constexpr std::int64_t kSize = 32;
  float scale;
  std::int8_t q[kSize];
};

std::size_t vector_bytes(DType dtype, std::int64_t dim) {
  if (dtype == DType::q8_0) {
    return static_cast<std::size_t>((dim + Group::kSize - 1) / Group::kSize) * sizeof(Group);
  }
  return row_bytes(dtype, static_cast<std::size_t>(dim));
}

/// The largest magnitude becomes 127, the others are rounded to nearest, ties to even. In f32, so
/// that every backend finds the same integers. What is not finite makes the whole group NaN.
void store_group(Group& group, const float* x, std::int64_t n) {
  float magnitude = 0;
  bool finite = true;
  for (std::int64_t i = 0; i < n; ++i) {
    finite = finite && std::isfinite(x[i]);
    magnitude = std::max(magnitude, std::abs(x[i]));
  }
  if (!finite) magnitude = std::numeric_limits<float>::quiet_NaN();
  const bool negligible = magnitude < 1e-36f;  // its inverse would overflow
  const float inverse = negligible || !finite ? 0.0f : 127.0f / magnitude;
  group.scale = negligible ? 0.0f : magnitude / 127.0f;
  for (std::int64_t i = 0; i < n; ++i) {
    group.q[i] = finite ? static_cast<std::int8_t>(std::nearbyint(x[i] * inverse)) : std::int8_t{0};
  }
}

void store_vector(DType dtype, std::byte* to, const float* x, std::int64_t dim) {
  for (std::int64_t i = 0; i < dim; ++i) {
    switch (dtype) {
      case DType::q8_0:
        if (i % Group::kSize == 0) {
          store_group(reinterpret_cast<Group*>(to)[i / Group::kSize], x + i,
                      std::min(Group::kSize, dim - i));
        }
        break;
      case DType::f16:
        reinterpret_cast<std::uint16_t*>(to)[i] = core::f32_to_f16(x[i]);
        break;
      case DType::bf16:
        reinterpret_cast<std::uint16_t*>(to)[i] = core::f32_to_bf16(x[i]);
        break;
      default:
        reinterpret_cast<float*>(to)[i] = x[i];
    }
  }
}

double load_component(DType dtype, const std::byte* vector, std::int64_t i) {
  switch (dtype) {
    case DType::q8_0: {
      const Group& group = reinterpret_cast<const Group*>(vector)[i / Group::kSize];
      return static_cast<double>(group.scale) * group.q[i % Group::kSize];
    }
    case DType::f16:
      return core::f16_to_f32(reinterpret_cast<const std::uint16_t*>(vector)[i]);
    case DType::bf16:
      return core::bf16_to_f32(reinterpret_cast<const std::uint16_t*>(vector)[i]);
    default:
      return reinterpret_cast<const float*>(vector)[i];
  }
}

// ---- Pages: of each kv head the keys (kKvPageTokens, k_dim), then the values --------------------

std::size_t head_bytes(const KvShape& shape) {
  const std::size_t value = shape.values_in_keys ? 0 : vector_bytes(shape.dtype, shape.v_dim);
  return static_cast<std::size_t>(kKvPageTokens) * (vector_bytes(shape.dtype, shape.k_dim) + value);
}

/// Bytes from the start of a page to the key of one kv head and slot.
std::size_t key_offset(const KvShape& shape, int kv_head, std::int64_t slot) {
  return static_cast<std::size_t>(kv_head) * head_bytes(shape) +
         static_cast<std::size_t>(slot) * vector_bytes(shape.dtype, shape.k_dim);
}

std::size_t value_offset(const KvShape& shape, int kv_head, std::int64_t slot) {
  if (shape.values_in_keys) return key_offset(shape, kv_head, slot);
  return key_offset(shape, kv_head, kKvPageTokens) +
         static_cast<std::size_t>(slot) * vector_bytes(shape.dtype, shape.v_dim);
}

const std::byte* page_of(const AttentionArgs& args, const AttentionRow& row,
                         std::int64_t position) {
  return args.layer +
         static_cast<std::size_t>(row.pages[position / kKvPageTokens]) * kv_page_bytes(args.kv);
}

double logit(const AttentionArgs& args, const AttentionRow& row, const float* q, int kv_head,
             std::int64_t position) {
  const std::byte* key =
      page_of(args, row, position) + key_offset(args.kv, kv_head, position % kKvPageTokens);
  double dot = 0;
  for (int d = 0; d < args.kv.k_dim; ++d) dot += q[d] * load_component(args.kv.dtype, key, d);
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
    const std::byte* value =
        page_of(args, row, p) + value_offset(args.kv, kv_head, p % kKvPageTokens);
    total += weight;
    for (int d = 0; d < args.kv.v_dim; ++d) {
      sums[d] += weight * load_component(args.kv.dtype, value, d);
    }
  }
  float* out = row.out + static_cast<std::ptrdiff_t>(head) * args.kv.v_dim;
  for (int d = 0; d < args.kv.v_dim; ++d) out[d] = static_cast<float>(sums[d] / total);
}

}  // namespace

std::size_t kv_page_bytes(const KvShape& shape) {
  const std::size_t bytes = static_cast<std::size_t>(shape.n_kv_heads) * head_bytes(shape);
  return (bytes + 63) / 64 * 64;
}

void kv_store(const KvShape& shape, std::byte* page, std::int64_t slot, const float* k,
              const float* v) {
  for (int h = 0; h < shape.n_kv_heads; ++h) {
    store_vector(shape.dtype, page + key_offset(shape, h, slot), k + index(h, shape.k_dim, 0),
                 shape.k_dim);
    if (shape.values_in_keys) continue;
    store_vector(shape.dtype, page + value_offset(shape, h, slot), v + index(h, shape.v_dim, 0),
                 shape.v_dim);
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
