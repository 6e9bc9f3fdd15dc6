// A layout of panels that has changed is another one, for whatever type it has changed.
#include "models/panel_layout.h"

#include <gtest/gtest.h>

#include <map>

namespace llm::models {
namespace {

constexpr DType kTypes[] = {DType::f32,  DType::f16,    DType::bf16,   DType::q4_0,
                            DType::q4_1, DType::q5_0,   DType::q5_1,   DType::q8_0,
                            DType::q2_k, DType::q3_k,   DType::q4_k,   DType::q5_k,
                            DType::q6_k, DType::iq4_nl, DType::iq4_xs, DType::mxfp4};

TEST(PanelLayout, IsTheSameEachTimeAndAnotherForEachType) {
  for (const kernels::Ops* ops : kernels::available_ops()) {
    std::map<std::uint64_t, DType> seen;
    for (const DType dtype : kTypes) {
      const std::uint64_t layout = panel_layout(*ops, {dtype});
      EXPECT_EQ(panel_layout(*ops, {dtype}), layout);
      EXPECT_TRUE(seen.emplace(layout, dtype).second) << ops->name << " " << to_string(dtype);
    }
    EXPECT_NE(panel_layout(*ops, {DType::f32, DType::q4_k}), panel_layout(*ops, {DType::q4_k}));
  }
}

TEST(PanelLayout, AnyByteOfAPanelCounts) {
  static const kernels::Ops& real = *kernels::available_ops().front();
  static std::size_t changed = 0;
  kernels::Ops ops = real;
  ops.pack_panel = [](DType dtype, std::int64_t cols, const std::byte* const* rows,
                      std::byte* panel) {
    real.pack_panel(dtype, cols, rows, panel);
    panel[changed] ^= std::byte{1};
  };
  for (const DType dtype : kTypes) {
    const std::uint64_t layout = panel_layout(real, {dtype});
    const std::size_t bytes = real.panel_bytes(dtype, is_block_quantized(dtype) ? 512 : 515);
    for (changed = 0; changed < bytes; changed += 97) {
      EXPECT_NE(panel_layout(ops, {dtype}), layout) << to_string(dtype) << " " << changed;
    }
  }
}

}  // namespace
}  // namespace llm::models
