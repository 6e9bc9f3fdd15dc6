// BlockScales: 8-bit float weights with one factor for every rectangle of a matrix, as DeepSeek-V3
// publishes them (quantization_config with quant_method fp8): W = weight * weight_scale_inv of the
// rectangle it lies in; the name says inverse, the value is multiplied.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace llm::models {

/// Rows and columns that share a factor; 0: no such factors.
struct ScaleBlock {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
};

struct BlockScales {
  ScaleBlock block;
  std::int64_t blocks_per_row = 0;
  std::vector<float> values;  // (blocks of rows, blocks_per_row), or empty: every factor is 1

  /// Multiplies row `row` of the stored matrix by its factors.
  void apply(std::int64_t row, float* values_of_row, std::int64_t cols) const {
    if (values.empty()) return;
    const float* factors = values.data() + row / block.rows * blocks_per_row;
    for (std::int64_t c = 0; c < cols; ++c) values_of_row[c] *= factors[c / block.cols];
  }
};

}  // namespace llm::models
