// Operations on rows of f32: norms, rotary embedding, activation, residual.
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/backend.h"
#include "kernels/cpu/math.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

/// Calls `body(c, load, store)` for c = 0, kLanes, ... where load(p) and store(p, x) move the whole
/// vector at p + c or, at the end, the columns that are left (zeros in the other lanes).
template <class Body>
LLM_INLINE void for_each_vector(std::int64_t cols, Body body) {
  std::int64_t c = 0;
  for (; c + kLanes <= cols; c += kLanes) {
    body([c](const float* p) LLM_LAMBDA_INLINE { return load(p + c); },
         [c](float* p, F32 x) LLM_LAMBDA_INLINE { store(p + c, x); });
  }
  if (const std::int64_t left = cols - c; left > 0) {
    body([c, left](const float* p) LLM_LAMBDA_INLINE { return load_partial(p + c, left); },
         [c, left](float* p, F32 x) LLM_LAMBDA_INLINE { store_partial(p + c, x, left); });
  }
}

/// Sum over columns of term(x) with term(0) = 0 in the lanes beyond the end, or masked there.
/// Four accumulators take turns, so the order depends on `cols` alone.
template <class Term>
LLM_INLINE float sum_columns(const float* x, std::int64_t cols, Term term) {
  F32 sums[4] = {zero(), zero(), zero(), zero()};
  std::int64_t c = 0;
  for (; c + 4 * kLanes <= cols; c += 4 * kLanes) {
    LLM_UNROLL
    for (int n = 0; n < 4; ++n) sums[n] = sums[n] + term(load(x + c + n * kLanes));
  }
  for (; c + kLanes <= cols; c += kLanes) sums[0] = sums[0] + term(load(x + c));
  float total = sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
  if (c < cols) {
    float last[kLanes];
    store(last, term(load_partial(x + c, cols - c)));
    for (std::int64_t n = 0; n < cols - c; ++n) total += last[n];
  }
  return total;
}

LLM_INLINE float inverse_root(float x) { return 1.0f / __builtin_sqrtf(x); }

}  // namespace

void rms_norm(const float* x, const float* w, float eps, float* y, std::int64_t rows,
              std::int64_t cols, std::int64_t stride) {
  for (std::int64_t r = 0; r < rows; ++r, x += stride, y += stride) {
    const float squares = sum_columns(x, cols, [](F32 v) LLM_LAMBDA_INLINE { return v * v; });
    const F32 scale = splat(inverse_root(squares / static_cast<float>(cols) + eps));
    for_each_vector(cols, [&](auto load_from, auto store_to) LLM_LAMBDA_INLINE {
      store_to(y, load_from(x) * scale * load_from(w));
    });
  }
}

void layer_norm(const float* x, const float* w, const float* b, float eps, float* y,
                std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  for (std::int64_t r = 0; r < rows; ++r, x += stride, y += stride) {
    const float sum = sum_columns(x, cols, [](F32 v) LLM_LAMBDA_INLINE { return v; });
    const F32 mean = splat(sum / static_cast<float>(cols));
    const float squares = sum_columns(x, cols, [mean](F32 v) LLM_LAMBDA_INLINE {
      const F32 centred = v - mean;
      return centred * centred;
    });
    const F32 scale = splat(inverse_root(squares / static_cast<float>(cols) + eps));
    for_each_vector(cols, [&](auto load_from, auto store_to) LLM_LAMBDA_INLINE {
      const F32 scaled = (load_from(x) - mean) * scale * load_from(w);
      store_to(y, b == nullptr ? scaled : scaled + load_from(b));
    });
  }
}

void rope(float* x, int n_heads, int head_dim, int rotary_dim, const float* cos, const float* sin) {
  const int half = rotary_dim / 2;
  for (int h = 0; h < n_heads; ++h) {
    float* first = x + static_cast<std::ptrdiff_t>(h) * head_dim;
    float* second = first + half;
    for_each_vector(half, [&](auto load_from, auto store_to) LLM_LAMBDA_INLINE {
      const F32 x0 = load_from(first);
      const F32 x1 = load_from(second);
      const F32 c = load_from(cos);
      const F32 s = load_from(sin);
      store_to(first, x0 * c - x1 * s);
      store_to(second, mul_add(x0, s, x1 * c));
    });
  }
}

namespace {

template <class Function>
LLM_INLINE void activate_with(const float* gate, const float* up, float* out, std::int64_t cols,
                              Function function) {
  for_each_vector(cols, [&](auto load_from, auto store_to) LLM_LAMBDA_INLINE {
    const F32 activated = function(load_from(gate));
    store_to(out, up == nullptr ? activated : activated * load_from(up));
  });
}

}  // namespace

void activate(Activation activation, const float* gate, const float* up, float* out,
              std::int64_t cols) {
  switch (activation) {
    case Activation::silu:
      activate_with(gate, up, out, cols, [](F32 x) LLM_LAMBDA_INLINE {
        return x / (splat(1.0f) + exp_f32(zero() - x));
      });
      break;
    case Activation::gelu:
      activate_with(gate, up, out, cols, [](F32 x) LLM_LAMBDA_INLINE {
        // x Phi(x), with the upper tail of the normal distribution on the side where it is small.
        const F32 tail = splat(0.5f) * erfc_positive(magnitude_of(x) * splat(0.70710678f));
        return x * if_less(x, zero(), tail, splat(1.0f) - tail);
      });
      break;
    case Activation::gelu_tanh:
      activate_with(gate, up, out, cols, [](F32 x) LLM_LAMBDA_INLINE {
        // 1 + tanh(y) = 2 / (1 + exp(-2 y)), which keeps its digits where tanh is near -1.
        const F32 inner = mul_add(x * x * x, splat(0.044715f), x) * splat(1.59576912f);
        return x / (splat(1.0f) + exp_f32(zero() - inner));
      });
      break;
  }
}

void softcap(float* x, float cap, std::int64_t cols) {
  for_each_vector(cols, [&](auto load_from, auto store_to) LLM_LAMBDA_INLINE {
    store_to(x, splat(cap) * tanh_f32(load_from(x) / splat(cap)));
  });
}

void add(float* x, const float* y, std::int64_t cols) {
  for_each_vector(cols, [&](auto load_from, auto store_to)
                            LLM_LAMBDA_INLINE { store_to(x, load_from(x) + load_from(y)); });
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
