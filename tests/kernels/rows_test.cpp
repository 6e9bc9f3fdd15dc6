// Norms, rotary embedding, activation and residual against the reference.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/support.h"

namespace llm::kernels {
namespace {

const std::int64_t kSizes[] = {1,  2,  3,  4,  5,  7,  8,  9,   15,  16,
                               17, 31, 32, 33, 63, 64, 65, 100, 2048};

/// Guard values behind every row show writes beyond the end.
constexpr float kGuard = -77.0f;

class Rows : public PerIsa {};

TEST_P(Rows, RmsNormAgrees) {
  Random random(31);
  for (const std::int64_t cols : kSizes) {
    const std::int64_t rows = 3, stride = cols + 2;
    const auto x = random.normals(rows * stride, 4.0f);
    const auto w = random.normals(cols);
    std::vector<float> expected(x.size(), kGuard), found(x.size(), kGuard);
    ref_ops().rms_norm(x.data(), w.data(), 1e-5f, expected.data(), rows, cols, stride);
    ops().rms_norm(x.data(), w.data(), 1e-5f, found.data(), rows, cols, stride);
    // The mean of squares has cols / (4 lanes) + 8 roundings, halved by the root; then six more.
    const double relative = (static_cast<double>(cols) / 8.0 + 12.0) * kRoundoff;
    for (std::size_t n = 0; n < x.size(); ++n) {
      ASSERT_NEAR(found[n], expected[n], relative * std::fabs(expected[n])) << cols << " " << n;
    }
  }
}

TEST_P(Rows, RmsNormInPlaceAndOfZeros) {
  auto x = Random(32).normals(100);
  const std::vector<float> w(100, 2.0f);
  std::vector<float> apart(100);
  ops().rms_norm(x.data(), w.data(), 1e-6f, apart.data(), 1, 100, 100);
  ops().rms_norm(x.data(), w.data(), 1e-6f, x.data(), 1, 100, 100);
  EXPECT_TRUE(same_bits(x.data(), apart.data(), 100));
  std::vector<float> zeros(100, 0.0f);
  ops().rms_norm(zeros.data(), w.data(), 1e-6f, zeros.data(), 1, 100, 100);
  for (const float value : zeros) EXPECT_EQ(value, 0.0f);
}

TEST_P(Rows, LayerNormAgrees) {
  Random random(33);
  for (const std::int64_t cols : kSizes) {
    for (const bool with_bias : {false, true}) {
      const std::int64_t rows = 3, stride = cols + 1;
      auto x = random.normals(rows * stride, 4.0f);
      for (float& value : x) value += 10.0f;  // a mean well away from zero
      const auto w = random.normals(cols);
      const auto b = random.normals(cols);
      const float* bias = with_bias ? b.data() : nullptr;
      std::vector<float> expected(x.size(), kGuard), found(x.size(), kGuard);
      ref_ops().layer_norm(x.data(), w.data(), bias, 1e-2f, expected.data(), rows, cols, stride);
      ops().layer_norm(x.data(), w.data(), bias, 1e-2f, found.data(), rows, cols, stride);
      // The mean is off by cols / 8 + 8 roundings of values below 40; divided by a deviation of at
      // least 0.1 (eps) it moves outputs by that times |w| < 5.
      const double roundings = (static_cast<double>(cols) / 8.0 + 12.0) * kRoundoff;
      for (std::size_t n = 0; n < x.size(); ++n) {
        const double absolute = roundings * 40.0 * (cols < 8 ? 10.0 : 1.0) * 5.0;
        ASSERT_NEAR(found[n], expected[n], absolute) << cols << " " << n;
      }
    }
  }
}

TEST_P(Rows, RopeAgrees) {
  Random random(34);
  for (const int head_dim : {2, 6, 16, 34, 64, 80, 128}) {
    for (const int rotary_dim : {2, head_dim / 2 / 2 * 2, head_dim}) {
      if (rotary_dim == 0) continue;
      const int n_heads = 3;
      const auto x = random.normals(n_heads * head_dim + 1);
      std::vector<float> cos, sin;
      for (int d = 0; d < rotary_dim / 2; ++d) {
        const float angle = random.normal(10.0f);
        cos.push_back(std::cos(angle));
        sin.push_back(std::sin(angle));
      }
      std::vector<float> expected = x, found = x;
      ref_ops().rope(expected.data(), n_heads, head_dim, rotary_dim, cos.data(), sin.data());
      ops().rope(found.data(), n_heads, head_dim, rotary_dim, cos.data(), sin.data());
      // Two products and a sum of magnitudes below 10 in all.
      for (std::size_t n = 0; n < x.size(); ++n) {
        ASSERT_NEAR(found[n], expected[n], 3 * kRoundoff * 10.0) << head_dim << " " << n;
      }
    }
  }
}

constexpr Activation kActivations[] = {Activation::silu, Activation::gelu, Activation::gelu_tanh};

TEST_P(Rows, ActivationsAgreeOnTheWholeRange) {
  Random random(35);
  for (const Activation activation : kActivations) {
    for (const std::int64_t cols : kSizes) {
      auto gate = random.normals(cols + 1, 3.0f);
      const auto up = random.normals(cols + 1);
      if (cols > 12) {
        const float extremes[] = {0.0f,   -0.0f,   87.0f, -87.0f, 88.5f, -88.5f,
                                  104.0f, -104.0f, 1e30f, -1e30f, 1e-30f};
        std::copy(std::begin(extremes), std::end(extremes), gate.begin());
      }
      for (const float* factor : {up.data(), static_cast<const float*>(nullptr)}) {
        std::vector<float> expected(gate.size(), kGuard), found(gate.size(), kGuard);
        ref_ops().activate(activation, gate.data(), factor, expected.data(), cols);
        ops().activate(activation, gate.data(), factor, found.data(), cols);
        // silu: exp is within 2 units in the last place (4 roundoffs), then sum, quotient, product;
        // results that exp(-x) = inf rounds to zero are below 1e-36. The gelus take exp of about
        // x^2, rounded before; the fit of erfc is off by 1.2e-7; 1 + tanh cancels in the reference.
        const bool silu = activation == Activation::silu;
        for (std::size_t n = 0; n < gate.size(); ++n) {
          const double square = std::min(200.0, static_cast<double>(gate[n]) * gate[n]);
          const double relative = silu ? 8 * kRoundoff : 8 * kRoundoff * (1 + square) + 1.2e-7;
          const double absolute =
              silu ? 1e-36 : 1e-15 * std::fabs(gate[n]) * (1 + std::fabs(up[n]));
          ASSERT_NEAR(found[n], expected[n], relative * std::fabs(expected[n]) + absolute)
              << gate[n];
        }
      }
    }
  }
}

TEST_P(Rows, ActivationsKeepNan) {
  const float gate = std::numeric_limits<float>::quiet_NaN(), up = 1.0f;
  for (const Activation activation : kActivations) {
    float out = 0;
    ops().activate(activation, &gate, &up, &out, 1);
    EXPECT_TRUE(std::isnan(out));
  }
}

TEST_P(Rows, SoftcapAgrees) {
  Random random(37);
  for (const std::int64_t cols : kSizes) {
    auto found = random.normals(cols + 1, 40.0f);
    found.back() = kGuard;
    auto expected = found;
    ref_ops().softcap(expected.data(), 30.0f, cols);
    ops().softcap(found.data(), 30.0f, cols);
    for (std::size_t n = 0; n < found.size(); ++n) {
      ASSERT_NEAR(found[n], expected[n], 10 * kRoundoff * std::fabs(expected[n]));
    }
    EXPECT_EQ(found.back(), kGuard);
  }
}

TEST_P(Rows, AddIsExact) {
  Random random(36);
  for (const std::int64_t cols : kSizes) {
    auto x = random.normals(cols + 1);
    const auto y = random.normals(cols + 1);
    auto expected = x;
    for (std::int64_t c = 0; c < cols; ++c) {
      expected[static_cast<std::size_t>(c)] += y[static_cast<std::size_t>(c)];
    }
    ops().add(x.data(), y.data(), cols);
    EXPECT_TRUE(same_bits(x.data(), expected.data(), cols + 1));
  }
}

TEST_P(Rows, PeakLoopCountsItsOperations) {
  for (const InputFormat format :
       {InputFormat::f32, InputFormat::f16, InputFormat::bf16, InputFormat::q8}) {
    const double once = ops().peak_loop(format, 1);
    EXPECT_GT(once, 0);
    EXPECT_EQ(ops().peak_loop(format, 7), 7 * once);
  }
}

LLM_PER_ISA(Rows);

}  // namespace
}  // namespace llm::kernels
