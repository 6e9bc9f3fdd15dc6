// What the kernel tests share: random data, packed matrices, and one run of each test per
// instruction set that this processor offers.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "core/aligned_buffer.h"
#include "kernels/kernels.h"

namespace llm::kernels {

/// Unit roundoff of f32.
inline constexpr double kRoundoff = 0x1p-24;

inline const Ops& ref_ops() { return *available_ops().back(); }

/// Test parameter: every table that runs here except the reference.
class PerIsa : public testing::TestWithParam<const Ops*> {
 protected:
  const Ops& ops() const { return *GetParam(); }
};

inline std::vector<const Ops*> fast_ops() {
  std::vector<const Ops*> tables = available_ops();
  tables.pop_back();
  return tables;
}

inline std::string isa_name(const testing::TestParamInfo<const Ops*>& info) {
  return std::string(info.param->name);
}

#define LLM_PER_ISA(suite) \
  INSTANTIATE_TEST_SUITE_P(Isa, suite, testing::ValuesIn(fast_ops()), isa_name)

/// Zeroed memory aligned to 64 bytes; at least one byte.
inline core::AlignedBuffer buffer(std::size_t bytes) {
  return core::AlignedBuffer::allocate(bytes + 64, "test").value();
}

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  float normal(float scale = 1.0f) { return normal_(engine_) * scale; }
  int integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
  std::vector<float> normals(std::int64_t count, float scale = 1.0f) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = normal(scale);
    return values;
  }

 private:
  std::mt19937 engine_;
  std::normal_distribution<float> normal_;
};

/// Weights in their stored form, and their exact values.
struct StoredMatrix {
  StoredMatrix(DType dtype, std::int64_t rows, std::int64_t cols, const std::vector<float>& values);

  DType dtype;
  std::int64_t rows, cols;
  std::vector<std::byte> bytes;
  std::vector<float> values;  // as decoded from `bytes`
};

/// The same weights packed for one table.
struct TestMatrix {
  TestMatrix(const Ops& ops, const StoredMatrix& stored);

  core::AlignedBuffer data;
  PackedMatrix packed;
};

/// Rows of x prepared for `w`.
core::AlignedBuffer prepare(const Ops& ops, const PackedMatrix& w, const std::vector<float>& x,
                            std::int64_t tokens);

struct MatmulOptions {
  const float* bias = nullptr;
  const std::vector<float>* previous = nullptr;  // (tokens, rows): accumulate on these
  std::int64_t panel_begin = 0;
  std::int64_t panel_end = -1;  // all
};

/// y = x w^T, (tokens, rows).
std::vector<float> multiply(const Ops& ops, const TestMatrix& w, const std::vector<float>& x,
                            std::int64_t tokens, const MatmulOptions& options = {});

/// Compares bits, so that NaN equals itself and 0 differs from -0.
bool same_bits(const float* a, const float* b, std::int64_t count);

}  // namespace llm::kernels
