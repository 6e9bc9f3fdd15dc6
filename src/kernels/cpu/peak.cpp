// The arithmetic peak of one core for each kind of matrix product: its innermost instruction on
// registers alone, with enough independent accumulators to hide the latency.
#include "kernels/cpu/isa.h"
//
#include "kernels/cpu/backend.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {
namespace {

constexpr int kChains = 10;

/// Runs `step(sum, w, x)` on every chain `iterations` times; returns the operations done.
template <class Sum, class Weights, class Input, class Step>
LLM_INLINE double measure(std::int64_t iterations, Sum start, Weights w, Input x, int columns,
                          Step step) {
  opaque(x);  // its zeros could be folded
  Sum sums[kChains];
  LLM_UNROLL
  for (int n = 0; n < kChains; ++n) {
    sums[n] = start;
    opaque(sums[n]);  // or all chains would be known to be equal, and become one
  }
  for (std::int64_t n = 0; n < iterations; ++n) {
    LLM_UNROLL
    for (int chain = 0; chain < kChains; ++chain) {
      opaque(w);  // or the products would be computed once for all
      step(sums[chain], w, x);
    }
  }
  LLM_UNROLL
  for (int n = 0; n < kChains; ++n) opaque(sums[n]);
  return 2.0 * static_cast<double>(iterations) * kChains * kLanes * columns;
}

}  // namespace

double peak_loop(InputFormat format, std::int64_t iterations) {
  switch (format) {
    case InputFormat::bf16: {
      alignas(64) const std::byte ones[4 * kLanes] = {};
      const Bf16Pairs pairs = load_bf16_pairs(ones);
      return measure(iterations, zero(), pairs, pairs, 2,
                     [](F32& sum, Bf16Pairs w, Bf16Pairs x)
                         LLM_LAMBDA_INLINE { sum = dot_bf16(sum, w, x); });
    }
    case InputFormat::q8: {
      const std::uint8_t codes[4 * kLanes] = {};
      const I32 none = splat(std::int32_t{0});
      return measure(iterations, CodeDot<15>{none}, load_bytes(codes), none, 4,
                     [](CodeDot<15>& dot, Bytes w, I32 x) LLM_LAMBDA_INLINE { dot.add(w, x); });
    }
    default:
      return measure(iterations, zero(), splat(0.5f), splat(0.25f), 1,
                     [](F32& sum, F32 w, F32 x) LLM_LAMBDA_INLINE { sum = mul_add(w, x, sum); });
  }
}

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
