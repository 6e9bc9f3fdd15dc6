#include "sampling/weigh.h"

#include <cstdint>

#include "core/cpu_features.h"
#include "sampling/exp.h"

namespace llm::sampling {
namespace {

// The bodies are compiled once for each width of vectors, inside functions that allow it.
#define LLM_EVERY_WIDTH [[gnu::always_inline]] inline

// probability * kOne without its fraction, in two halves: every instruction set converts vectors of
// f32 to 32-bit integers, not to 64-bit ones. No step rounds: the whole has 24 bits.
LLM_EVERY_WIDTH Weight to_weight(float probability) {
  constexpr float kHalf = 0x1p20F;
  const float whole = probability * static_cast<float>(kOne);
  const auto high = static_cast<std::int32_t>(whole / kHalf);
  const auto low = static_cast<std::int32_t>(whole - static_cast<float>(high) * kHalf);
  return (static_cast<Weight>(static_cast<std::uint32_t>(high)) << 20) +
         static_cast<std::uint32_t>(low);
}

LLM_EVERY_WIDTH void weigh_body(const float* logits, std::size_t tokens, float highest,
                                float temperature, Weight* weights) {
  std::array<float, kBlockTokens> probabilities;
  // Two loops, so that each is vectorised.
  for (std::size_t t = 0; t < tokens; ++t) {
    probabilities[t] = exp_nonpositive((logits[t] - highest) / temperature);
  }
  for (std::size_t t = tokens; t < kBlockTokens; ++t) probabilities[t] = 0;
  for (std::size_t t = 0; t < kBlockTokens; ++t) weights[t] = to_weight(probabilities[t]);
}

// Every kSums-th term goes to the same sum, whatever the width of vectors: one sum alone would wait
// for itself at every term.
LLM_EVERY_WIDTH double sum_body(const float* logits, std::size_t tokens, float highest) {
  constexpr std::size_t kSums = 32;
  std::array<double, kSums> sums{};
  std::array<float, kSums> terms;
  std::size_t begin = 0;
  for (; begin + kSums <= tokens; begin += kSums) {
    for (std::size_t t = 0; t < kSums; ++t) {
      terms[t] = exp_nonpositive(logits[begin + t] - highest);
    }
    for (std::size_t t = 0; t < kSums; ++t) sums[t] += static_cast<double>(terms[t]);
  }
  for (std::size_t t = 0; begin + t < tokens; ++t) {
    sums[t] += static_cast<double>(exp_nonpositive(logits[begin + t] - highest));
  }
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

struct Functions {
  void (*weigh)(const float*, std::size_t, float, float, Weight*);
  double (*sum)(const float*, std::size_t, float);
};

void weigh_plain(const float* logits, std::size_t tokens, float highest, float temperature,
                 Weight* weights) {
  weigh_body(logits, tokens, highest, temperature, weights);
}
double sum_plain(const float* logits, std::size_t tokens, float highest) {
  return sum_body(logits, tokens, highest);
}

#if defined(__x86_64__)
#define LLM_AVX2 [[gnu::target("avx2")]]
#define LLM_AVX512 [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl")]]

LLM_AVX2 void weigh_avx2(const float* logits, std::size_t tokens, float highest, float temperature,
                         Weight* weights) {
  weigh_body(logits, tokens, highest, temperature, weights);
}
LLM_AVX2 double sum_avx2(const float* logits, std::size_t tokens, float highest) {
  return sum_body(logits, tokens, highest);
}
LLM_AVX512 void weigh_avx512(const float* logits, std::size_t tokens, float highest,
                             float temperature, Weight* weights) {
  weigh_body(logits, tokens, highest, temperature, weights);
}
LLM_AVX512 double sum_avx512(const float* logits, std::size_t tokens, float highest) {
  return sum_body(logits, tokens, highest);
}
#endif

Functions choose_functions() {
#if defined(__x86_64__)
  if (core::cpu_features().avx512) return {weigh_avx512, sum_avx512};
  if (core::cpu_features().avx2) return {weigh_avx2, sum_avx2};
#endif
  return {weigh_plain, sum_plain};
}

const Functions& functions() {
  static const Functions chosen = choose_functions();
  return chosen;
}

}  // namespace

Weight weigh_token(float logit, float highest, float temperature) {
  return to_weight(exp_nonpositive((logit - highest) / temperature));
}

void weigh_block(std::span<const float> logits, float highest, float temperature,
                 BlockWeights& weights) {
  functions().weigh(logits.data(), logits.size(), highest, temperature, weights.data());
}

double sum_of_exponentials(std::span<const float> logits, float highest) {
  return functions().sum(logits.data(), logits.size(), highest);
}

}  // namespace llm::sampling
