// Operations on rows of f32: norms, rotary embedding, activation, residual.
#include <cmath>
#include <numbers>

#include "kernels/ref/ref.h"

namespace llm::kernels::ref {

void rms_norm(const float* x, const float* w, float eps, float* y, std::int64_t rows,
              std::int64_t cols, std::int64_t stride) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* from = x + r * stride;
    float* to = y + r * stride;
    double squares = 0;
    for (std::int64_t c = 0; c < cols; ++c) squares += static_cast<double>(from[c]) * from[c];
    const double mean = squares / static_cast<double>(cols);
    const double scale = 1.0 / std::sqrt(mean + static_cast<double>(eps));
    for (std::int64_t c = 0; c < cols; ++c) to[c] = static_cast<float>(from[c] * scale * w[c]);
  }
}

void layer_norm(const float* x, const float* w, const float* b, float eps, float* y,
                std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* from = x + r * stride;
    float* to = y + r * stride;
    double sum = 0;
    for (std::int64_t c = 0; c < cols; ++c) sum += from[c];
    const double mean = sum / static_cast<double>(cols);
    double squares = 0;
    for (std::int64_t c = 0; c < cols; ++c) squares += (from[c] - mean) * (from[c] - mean);
    const double variance = squares / static_cast<double>(cols);
    const double scale = 1.0 / std::sqrt(variance + static_cast<double>(eps));
    for (std::int64_t c = 0; c < cols; ++c) {
      const double bias = b == nullptr ? 0.0 : static_cast<double>(b[c]);
      to[c] = static_cast<float>((from[c] - mean) * scale * w[c] + bias);
    }
  }
}

void rope(float* x, int n_heads, int head_dim, int rotary_dim, const float* cos, const float* sin) {
  const int half = rotary_dim / 2;
  for (int h = 0; h < n_heads; ++h) {
    float* head = x + static_cast<std::ptrdiff_t>(h) * head_dim;
    for (int d = 0; d < half; ++d) {
      const double x0 = head[d];
      const double x1 = head[d + half];
      head[d] = static_cast<float>(x0 * cos[d] - x1 * sin[d]);
      head[d + half] = static_cast<float>(x0 * sin[d] + x1 * cos[d]);
    }
  }
}

namespace {

double activated(Activation activation, double x) {
  switch (activation) {
    case Activation::silu:
      return x / (1.0 + std::exp(-x));
    case Activation::gelu:
      return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
    case Activation::gelu_tanh:
      break;
  }
  const double inner = std::sqrt(2.0 * std::numbers::inv_pi) * (x + 0.044715 * x * x * x);
  return 0.5 * x * (1.0 + std::tanh(inner));
}

}  // namespace

void activate(Activation activation, const float* gate, const float* up, float* out,
              std::int64_t cols) {
  for (std::int64_t c = 0; c < cols; ++c) {
    const double factor = up == nullptr ? 1.0 : static_cast<double>(up[c]);
    out[c] = static_cast<float>(activated(activation, gate[c]) * factor);
  }
}

void softcap(float* x, float cap, std::int64_t cols) {
  for (std::int64_t c = 0; c < cols; ++c) {
    x[c] = static_cast<float>(cap * std::tanh(static_cast<double>(x[c]) / cap));
  }
}

void add(float* x, const float* y, std::int64_t cols) {
  for (std::int64_t c = 0; c < cols; ++c) x[c] += y[c];
}

}  // namespace llm::kernels::ref
