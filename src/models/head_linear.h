// HeadLinear: one matrix per attention head, each applied to its own columns of the same rows.
#pragma once

#include <cstdint>
#include <vector>

#include "models/linear.h"

namespace llm::models {

struct HeadLinear {
  std::vector<Linear> heads;  // of equal shape

  /// Where head h of row r begins: at + r * row + h * head.
  struct Input {
    const float* at;
    std::int64_t row, head;
  };
  struct Output {
    float* at;
    std::int64_t row, head;
  };
  void apply(const Input& x, const Output& y, std::int64_t rows, const Compute& compute) const;

  /// What apply() needs of each thread's scratch.
  std::size_t scratch_bytes(const kernels::Ops& ops) const;
  std::size_t bytes() const;
};

}  // namespace llm::models
