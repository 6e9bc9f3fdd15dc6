// Matrix products with f32, f16 and bf16 weights against the reference, and the rule that a row's
// result is the same bits in any batch.
#include <cmath>
#include <limits>

#include "kernels/support.h"

namespace llm::kernels {
namespace {

const DType kFloatTypes[] = {DType::f32, DType::f16, DType::bf16};

/// Both sides multiply the same rounded inputs exactly or with one rounding per product and add
/// them one by one, the reference in f64: the difference is at most (columns + 2) roundoffs of the
/// sum of magnitudes, bias and previous value included, plus the final rounding.
void expect_close(const StoredMatrix& w, const std::vector<float>& x, std::int64_t tokens,
                  const std::vector<float>& expected, const std::vector<float>& found,
                  double extra_magnitude) {
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t r = 0; r < w.rows; ++r) {
      double magnitude = extra_magnitude;
      for (std::int64_t c = 0; c < w.cols; ++c) {
        magnitude += std::fabs(static_cast<double>(x[static_cast<std::size_t>(t * w.cols + c)]) *
                               w.values[static_cast<std::size_t>(r * w.cols + c)]);
      }
      const double tolerance = static_cast<double>(w.cols + 4) * kRoundoff * magnitude * 1.01;
      const auto at = static_cast<std::size_t>(t * w.rows + r);
      ASSERT_NEAR(found[at], expected[at], tolerance)
          << to_string(w.dtype) << " rows " << w.rows << " cols " << w.cols << " token " << t
          << " row " << r;
    }
  }
}

class MatmulFloat : public PerIsa {};

TEST_P(MatmulFloat, AgreesWithTheReferenceAtSizesAroundTheVectorWidth) {
  Random random(1);
  for (const DType dtype : kFloatTypes) {
    for (const std::int64_t rows : {1, 7, 8, 15, 16, 17, 31, 32, 33, 65, 100}) {
      for (const std::int64_t cols : {1, 2, 3, 15, 16, 17, 31, 33, 64, 127, 300}) {
        const std::int64_t tokens = 1 + (rows + cols) % 14;
        const StoredMatrix w(dtype, rows, cols, random.normals(rows * cols));
        const auto x = random.normals(tokens * cols);
        const auto expected = multiply(ref_ops(), TestMatrix(ref_ops(), w), x, tokens);
        const auto found = multiply(ops(), TestMatrix(ops(), w), x, tokens);
        expect_close(w, x, tokens, expected, found, 0);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(MatmulFloat, AddsBiasAndPreviousContents) {
  Random random(2);
  for (const DType dtype : kFloatTypes) {
    for (const std::int64_t tokens : {5, 20}) {
      const std::int64_t rows = 37, cols = 50;
      const StoredMatrix w(dtype, rows, cols, random.normals(rows * cols));
      const auto x = random.normals(tokens * cols);
      const auto bias = random.normals(rows, 10.0f);
      const auto previous = random.normals(tokens * rows, 10.0f);
      const MatmulOptions options{.bias = bias.data(), .previous = &previous};
      const auto expected = multiply(ref_ops(), TestMatrix(ref_ops(), w), x, tokens, options);
      const auto found = multiply(ops(), TestMatrix(ops(), w), x, tokens, options);
      expect_close(w, x, tokens, expected, found, 100.0);
    }
  }
}

TEST_P(MatmulFloat, RowHasTheSameBitsInAnyBatch) {
  Random random(3);
  for (const DType dtype : kFloatTypes) {
    for (const std::int64_t cols : {33, 256, 1001, 2100}) {
      const std::int64_t rows = 70, tokens = 200;
      const TestMatrix w(ops(), StoredMatrix(dtype, rows, cols, random.normals(rows * cols)));
      const auto x = random.normals(tokens * cols);
      std::vector<float> alone;
      for (std::int64_t t = 0; t < tokens; ++t) {
        const std::vector<float> row(x.begin() + t * cols, x.begin() + (t + 1) * cols);
        const auto y = multiply(ops(), w, row, 1);
        alone.insert(alone.end(), y.begin(), y.end());
      }
      for (const std::int64_t n : {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 64, 200}) {
        const std::vector<float> some(x.begin(), x.begin() + n * cols);
        const auto together = multiply(ops(), w, some, n);
        ASSERT_TRUE(same_bits(together.data(), alone.data(), n * rows))
            << to_string(dtype) << " cols " << cols << " tokens " << n;
      }
    }
  }
}

TEST_P(MatmulFloat, CuttingThePanelsChangesNothing) {
  Random random(4);
  for (const DType dtype : kFloatTypes) {
    const std::int64_t rows = 300, cols = 65, tokens = 3;
    const TestMatrix w(ops(), StoredMatrix(dtype, rows, cols, random.normals(rows * cols)));
    const auto x = random.normals(tokens * cols);
    const auto whole = multiply(ops(), w, x, tokens);
    std::vector<float> pieces = std::vector<float>(whole.size(), 0.0f);
    for (std::int64_t p = 0; p < w.packed.panels(); ++p) {
      pieces = multiply(ops(), w, x, tokens,
                        {.previous = &pieces, .panel_begin = p, .panel_end = p + 1});
    }
    // Adding to zero is exact, except that 0 + -0 = 0.
    for (std::size_t n = 0; n < whole.size(); ++n) ASSERT_EQ(pieces[n], whole[n]);
  }
}

TEST_P(MatmulFloat, WritesOnlyTheRowsOfItsPanels) {
  const std::int64_t rows = 70, cols = 16;
  const TestMatrix w(ops(), StoredMatrix(DType::bf16, rows, cols, Random(5).normals(rows * cols)));
  const auto y =
      multiply(ops(), w, std::vector<float>(16, 1.0f), 1, {.panel_begin = 1, .panel_end = 2});
  for (std::int64_t r = 0; r < rows; ++r) {
    const bool inside = r / w.packed.panel_rows == 1;
    EXPECT_EQ(y[static_cast<std::size_t>(r)] == -77.0f, !inside) << "row " << r;
  }
}

TEST_P(MatmulFloat, NanAndInfinityReachTheirOwnTokenAlone) {
  Random random(6);
  for (const DType dtype : kFloatTypes) {
    const std::int64_t rows = 33, cols = 20, tokens = 3;
    const TestMatrix w(ops(), StoredMatrix(dtype, rows, cols, random.normals(rows * cols)));
    auto x = random.normals(tokens * cols);
    x[static_cast<std::size_t>(cols + 3)] = std::numeric_limits<float>::quiet_NaN();
    x[static_cast<std::size_t>(2 * cols + 5)] = std::numeric_limits<float>::infinity();
    const auto y = multiply(ops(), w, x, tokens);
    for (std::int64_t r = 0; r < rows; ++r) {
      EXPECT_TRUE(std::isfinite(y[static_cast<std::size_t>(r)]));
      EXPECT_TRUE(std::isnan(y[static_cast<std::size_t>(rows + r)]));
      // Not finite; NaN where a weight is multiplied in parts, one of which may be zero.
      EXPECT_FALSE(std::isfinite(y[static_cast<std::size_t>(2 * rows + r)]));
    }
  }
}

LLM_PER_ISA(MatmulFloat);

}  // namespace
}  // namespace llm::kernels
