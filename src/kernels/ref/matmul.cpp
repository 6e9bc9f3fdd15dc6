// Matrix product with exact weights: y = x * w^T. The activations are rounded to the weight's type
// for f16 and bf16 weights, and taken as f32 for f32 and block-quantised ones.
#include <cstring>

#include "core/half.h"
#include "kernels/ref/ref.h"
#include "quant/quant.h"

namespace llm::kernels::ref {
namespace {

constexpr std::size_t element_bytes(InputFormat format) {
  return format == InputFormat::f32 ? sizeof(float) : sizeof(std::uint16_t);
}

float input_value(InputFormat format, const std::byte* row, std::int64_t c) {
  if (format == InputFormat::f32) return reinterpret_cast<const float*>(row)[c];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(row)[c];
  return format == InputFormat::f16 ? core::f16_to_f32(bits) : core::bf16_to_f32(bits);
}

}  // namespace

InputFormat input_format(DType weight) {
  if (weight == DType::f16) return InputFormat::f16;
  if (weight == DType::bf16) return InputFormat::bf16;
  return InputFormat::f32;
}

std::int64_t panel_rows(DType) { return 1; }

std::size_t panel_bytes(DType weight, std::int64_t cols) {
  return row_bytes(weight, static_cast<std::size_t>(cols));
}

void pack_panel(DType weight, std::int64_t cols, const std::byte* const* rows, std::byte* panel) {
  if (rows[0] == nullptr) {
    std::memset(panel, 0, panel_bytes(weight, cols));
  } else {
    std::memcpy(panel, rows[0], panel_bytes(weight, cols));
  }
}

std::size_t input_row_bytes(InputFormat format, std::int64_t cols) {
  return (static_cast<std::size_t>(cols) * element_bytes(format) + 63) / 64 * 64;
}

void prepare_input(InputFormat format, const float* x, std::int64_t x_stride, std::int64_t cols,
                   std::int64_t row_begin, std::int64_t row_end, std::byte* out) {
  const std::size_t out_stride = input_row_bytes(format, cols);
  for (std::int64_t r = row_begin; r < row_end; ++r) {
    const float* from = x + r * x_stride;
    std::byte* to = out + static_cast<std::size_t>(r) * out_stride;
    for (std::int64_t c = 0; c < cols; ++c) {
      if (format == InputFormat::f32) {
        reinterpret_cast<float*>(to)[c] = from[c];
      } else {
        reinterpret_cast<std::uint16_t*>(to)[c] =
            format == InputFormat::f16 ? core::f32_to_f16(from[c]) : core::f32_to_bf16(from[c]);
      }
    }
  }
}

void matmul(const MatmulArgs& args, std::int64_t panel_begin, std::int64_t panel_end,
            std::byte* scratch) {
  const PackedMatrix& w = *args.w;
  const std::size_t x_row_bytes = input_row_bytes(w.input, w.cols);
  float* weights = reinterpret_cast<float*>(scratch);
  for (std::int64_t r = panel_begin; r < panel_end; ++r) {
    quant::decode_row(w.dtype, w.data + static_cast<std::size_t>(r) * w.panel_bytes, weights,
                      w.cols);
    for (std::int64_t t = 0; t < args.tokens; ++t) {
      const std::byte* x = args.x + static_cast<std::size_t>(t) * x_row_bytes;
      float& y = args.y[t * args.y_stride + r];
      double sum = 0;
      for (std::int64_t c = 0; c < w.cols; ++c) {
        sum += static_cast<double>(input_value(w.input, x, c)) * static_cast<double>(weights[c]);
      }
      if (args.bias != nullptr) sum += static_cast<double>(args.bias[r]);
      if (args.accumulate) sum += static_cast<double>(y);
      y = static_cast<float>(sum);
    }
  }
}

std::size_t matmul_scratch_bytes(DType, std::int64_t cols) {
  return static_cast<std::size_t>(cols) * sizeof(float);
}

double peak_loop(InputFormat, std::int64_t iterations) {
  volatile double factor = 0.5;
  double sum = 0;
  for (std::int64_t n = 0; n < iterations; ++n) sum += factor * factor;
  volatile double sink = sum;
  static_cast<void>(sink);
  return 2.0 * static_cast<double>(iterations);
}

}  // namespace llm::kernels::ref
