// Matrix products with block-quantised weights. The reference multiplies exact weights with f32
// activations; the fast paths quantise activations to 8 bits per block of 32.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/support.h"
#include "quant/quant.h"

namespace llm::kernels {
namespace {

const DType kBlockTypes[] = {DType::q4_0,   DType::q4_1,   DType::q5_0, DType::q5_1, DType::q8_0,
                             DType::q2_k,   DType::q3_k,   DType::q4_k, DType::q5_k, DType::q6_k,
                             DType::iq4_nl, DType::iq4_xs, DType::mxfp4};

/// A weight with its row's largest magnitude is stored as a part with scale and a minimum, each at
/// most three times as large: bound for what f32 rounding in the accumulation acts on. Per group of
/// 16 or 32 columns there are at most two additions and four other roundings.
double rounding_bound(const StoredMatrix& w, std::int64_t row, double sum_abs_x) {
  double largest = 0;
  for (std::int64_t c = 0; c < w.cols; ++c) {
    largest =
        std::max(largest, std::fabs(double{w.values[static_cast<std::size_t>(row * w.cols + c)]}));
  }
  return (static_cast<double>(w.cols) / 8.0 + 8.0) * kRoundoff * 3.0 * largest * sum_abs_x;
}

class MatmulQuant : public PerIsa {};

TEST_P(MatmulQuant, IsExactButForRoundingOnWholeActivations) {
  // Integers up to 127 with one of that magnitude in every block quantise without error (scale 1),
  // so every code, scale and minimum of every block type is seen exactly.
  Random random(11);
  for (const DType dtype : kBlockTypes) {
    for (const std::int64_t rows : {1, 16, 33, 50}) {
      const std::int64_t cols = 256 * (1 + rows % 3), tokens = 1 + rows % 8;
      const StoredMatrix w(dtype, rows, cols, random.normals(rows * cols));
      std::vector<float> x(static_cast<std::size_t>(tokens * cols));
      for (std::size_t n = 0; n < x.size(); ++n) {
        x[n] = static_cast<float>(n % 32 == 5 ? 127 : random.integer(-127, 127));
      }
      const auto expected = multiply(ref_ops(), TestMatrix(ref_ops(), w), x, tokens);
      const auto found = multiply(ops(), TestMatrix(ops(), w), x, tokens);
      for (std::int64_t t = 0; t < tokens; ++t) {
        double sum_abs_x = 0;
        for (std::int64_t c = 0; c < cols; ++c) {
          sum_abs_x += std::fabs(double{x[static_cast<std::size_t>(t * cols + c)]});
        }
        for (std::int64_t r = 0; r < rows; ++r) {
          const auto at = static_cast<std::size_t>(t * rows + r);
          ASSERT_NEAR(found[at], expected[at], rounding_bound(w, r, sum_abs_x))
              << to_string(dtype) << " rows " << rows << " token " << t << " row " << r;
        }
      }
    }
  }
}

TEST_P(MatmulQuant, ErrorIsThatOfQuantisedActivations) {
  Random random(12);
  for (const DType dtype : kBlockTypes) {
    const std::int64_t rows = 40, cols = 1024, tokens = 7;
    const StoredMatrix w(dtype, rows, cols, random.normals(rows * cols));
    const auto x = random.normals(tokens * cols);
    const auto expected = multiply(ref_ops(), TestMatrix(ref_ops(), w), x, tokens);
    const auto found = multiply(ops(), TestMatrix(ops(), w), x, tokens);
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (std::int64_t r = 0; r < rows; ++r) {
        double bound = 0, sum_abs_x = 0;
        for (std::int64_t b = 0; b < cols; b += 32) {
          double largest = 0, weights = 0;
          for (std::int64_t c = b; c < b + 32; ++c) {
            const double value = std::fabs(double{x[static_cast<std::size_t>(t * cols + c)]});
            largest = std::max(largest, value);
            sum_abs_x += value;
            weights += std::fabs(double{w.values[static_cast<std::size_t>(r * cols + c)]});
          }
          bound += largest / 127.0 * 0.5001 * weights;  // half a step, and its own rounding
        }
        const auto at = static_cast<std::size_t>(t * rows + r);
        ASSERT_NEAR(found[at], expected[at], bound + rounding_bound(w, r, sum_abs_x))
            << to_string(dtype);
      }
    }
  }
}

TEST_P(MatmulQuant, RowHasTheSameBitsInAnyBatch) {
  Random random(13);
  for (const DType dtype : kBlockTypes) {
    const std::int64_t rows = 50, cols = 512, tokens = 70;
    const TestMatrix w(ops(), StoredMatrix(dtype, rows, cols, random.normals(rows * cols)));
    const auto x = random.normals(tokens * cols);
    std::vector<float> alone;
    for (std::int64_t t = 0; t < tokens; ++t) {
      const std::vector<float> row(x.begin() + t * cols, x.begin() + (t + 1) * cols);
      const auto y = multiply(ops(), w, row, 1);
      alone.insert(alone.end(), y.begin(), y.end());
    }
    for (const std::int64_t n : {2, 3, 4, 5, 6, 7, 8, 9, 17, 64, 70}) {
      const std::vector<float> some(x.begin(), x.begin() + n * cols);
      const auto together = multiply(ops(), w, some, n);
      ASSERT_TRUE(same_bits(together.data(), alone.data(), n * rows))
          << to_string(dtype) << " tokens " << n;
    }
  }
}

TEST_P(MatmulQuant, ExtremeCodesDoNotSaturate) {
  // All weights and activations at the ends of their ranges: the largest integer sums there are.
  for (const float w_sign : {1.0f, -1.0f}) {
    for (const float x_sign : {1.0f, -1.0f}) {
      for (const DType dtype : kBlockTypes) {
        const std::int64_t rows = 32, cols = 512;
        const StoredMatrix w(dtype, rows, cols,
                             std::vector<float>(static_cast<std::size_t>(rows * cols), w_sign));
        const std::vector<float> x(static_cast<std::size_t>(cols), x_sign * 127.0f);
        const auto expected = multiply(ref_ops(), TestMatrix(ref_ops(), w), x, 1);
        const auto found = multiply(ops(), TestMatrix(ops(), w), x, 1);
        for (std::int64_t r = 0; r < rows; ++r) {
          const auto at = static_cast<std::size_t>(r);
          ASSERT_NEAR(found[at], expected[at],
                      rounding_bound(w, r, 127.0 * static_cast<double>(cols)))
              << to_string(dtype);
        }
      }
    }
  }
}

TEST_P(MatmulQuant, MostNegativeCodeOfQ8IsExact) {
  // Encoders never write -128, files may.
  StoredMatrix w(DType::q8_0, 32, 32, std::vector<float>(32 * 32, 1.0f));
  for (std::int64_t r = 0; r < w.rows; ++r) {
    for (std::int64_t c = 0; c < 32; ++c) {
      w.bytes[static_cast<std::size_t>(r * 34 + 2 + c)] = std::byte{0x80};
    }
    quant::decode_row(w.dtype, w.bytes.data() + r * 34, w.values.data() + r * 32, 32);
  }
  const std::vector<float> x(32, 127.0f);
  const auto found = multiply(ops(), TestMatrix(ops(), w), x, 1);
  for (const float y : found) EXPECT_NEAR(y, 32.0 * 127.0 * w.values[0], 1e-6 * std::fabs(y));
}

TEST_P(MatmulQuant, ZeroActivationsGiveZeroAndTinyOnesStayFinite) {
  Random random(14);
  for (const DType dtype : kBlockTypes) {
    const std::int64_t rows = 20, cols = 256;
    const StoredMatrix w(dtype, rows, cols, random.normals(rows * cols));
    const TestMatrix packed(ops(), w);
    for (const float value : {0.0f, -0.0f, 1e-38f, 1e-44f}) {
      const auto y = multiply(ops(), packed, std::vector<float>(256, value), 1);
      for (const float out : y) EXPECT_NEAR(out, 0.0f, 1e-33f) << to_string(dtype) << value;
    }
    const auto zeros = multiply(
        ops(), TestMatrix(ops(), StoredMatrix(dtype, rows, cols, std::vector<float>(20 * 256))),
        random.normals(cols), 1);
    for (const float out : zeros) EXPECT_NEAR(out, 0.0f, 1e-6f) << to_string(dtype);
  }
}

TEST_P(MatmulQuant, NanAndInfinityAreNotHidden) {
  Random random(15);
  for (const DType dtype : kBlockTypes) {
    const std::int64_t rows = 20, cols = 256;
    const TestMatrix w(ops(), StoredMatrix(dtype, rows, cols, random.normals(rows * cols)));
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      auto x = random.normals(2 * cols);
      x[40] = bad;
      const auto y = multiply(ops(), w, x, 2);
      for (std::int64_t r = 0; r < rows; ++r) {
        EXPECT_FALSE(std::isfinite(y[static_cast<std::size_t>(r)])) << to_string(dtype);
        EXPECT_TRUE(std::isfinite(y[static_cast<std::size_t>(rows + r)])) << to_string(dtype);
      }
    }
  }
}

LLM_PER_ISA(MatmulQuant);

}  // namespace
}  // namespace llm::kernels
