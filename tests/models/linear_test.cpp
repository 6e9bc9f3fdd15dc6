// Products activated where they are made have the bits of the product and then the activation,
// however many rows and threads there are.
#include "models/linear.h"

#include <array>

#include "kernels/support.h"

namespace llm::models {
namespace {

using kernels::Activation;

constexpr std::int64_t kCols = 256;

class ActivatedProducts : public testing::TestWithParam<const kernels::Ops*> {
 protected:
  const kernels::Ops& ops() const { return *GetParam(); }

  Linear linear(DType dtype, std::int64_t rows) {
    kernels::TestMatrix made(
        ops(), kernels::StoredMatrix(dtype, rows, kCols, random_.normals(rows * kCols)));
    return {.matrix = made.packed, .storage = std::move(made.data), .bias = random_.normals(rows)};
  }

  /// Of `rows` rows, by one and by three threads.
  void expect_same_bits(const LinearGroup& group, std::int64_t rows);

  kernels::Random random_{1};
};

void ActivatedProducts::expect_same_bits(const LinearGroup& group, std::int64_t rows) {
  const std::int64_t width = group.outputs();
  const auto members = static_cast<std::int64_t>(group.members().size());
  const std::int64_t size = width / members;
  const std::vector<float> x = random_.normals(rows * kCols);
  std::array<core::AlignedBuffer, kernels::kInputFormats> prepared;
  std::array<std::byte*, kernels::kInputFormats> buffers{};
  for (std::size_t f = 0; f < kernels::kInputFormats; ++f) {
    prepared[f] =
        kernels::buffer(static_cast<std::size_t>(rows) *
                        ops().input_row_bytes(static_cast<kernels::InputFormat>(f), kCols));
    buffers[f] = prepared[f].data();
  }
  for (const int threads : {1, 3}) {
    core::ThreadPool pool(threads);
    constexpr std::size_t kScratch = std::size_t{1} << 20;
    for (const Linear& member : group.members()) {
      ASSERT_LE(ops().matmul_scratch_bytes(member.matrix.dtype, kCols), kScratch);
    }
    auto scratch = kernels::buffer(kScratch * static_cast<std::size_t>(threads));
    const Compute compute{.ops = &ops(),
                          .pool = &pool,
                          .thread_scratch = scratch.data(),
                          .thread_scratch_bytes = kScratch};
    MatmulInput input(buffers);
    input.set(x.data(), rows, kCols);
    std::vector<float> work(static_cast<std::size_t>(rows * width));
    std::vector<float> found(static_cast<std::size_t>(rows * size));
    group.apply_activated(input, Activation::silu, work.data(), found.data(), compute);

    std::vector<float> products(work.size());
    group.apply(input, products.data(), width, false, compute);
    std::vector<float> expected(found.size());
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* gate = products.data() + row * width;
      ops().activate(Activation::silu, gate, members > 1 ? gate + size : nullptr,
                     expected.data() + row * size, size);
    }
    ASSERT_EQ(found, expected) << rows << " rows of " << size << ", " << threads << " threads";
  }
}

TEST_P(ActivatedProducts, HaveTheBitsOfProductAndActivation) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_k}) {
    for (const std::int64_t size : {1, 70, 600}) {
      std::vector<Linear> gate_up;
      gate_up.push_back(linear(dtype, size));
      gate_up.push_back(linear(dtype, size));
      std::vector<Linear> plain;
      plain.push_back(linear(dtype, size));
      const LinearGroup gated(std::move(gate_up));
      const LinearGroup alone(std::move(plain));
      for (const std::int64_t rows : {1, 5, 33, 70}) {
        expect_same_bits(gated, rows);
        expect_same_bits(alone, rows);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(ActivatedProducts, MayBeOfTwoTypes) {
  std::vector<Linear> members;
  members.push_back(linear(DType::f32, 300));
  members.push_back(linear(DType::q8_0, 300));
  const LinearGroup group(std::move(members));
  expect_same_bits(group, 2);
  expect_same_bits(group, 40);
}

INSTANTIATE_TEST_SUITE_P(Isa, ActivatedProducts, testing::ValuesIn(kernels::available_ops()),
                         kernels::isa_name);

}  // namespace
}  // namespace llm::models
