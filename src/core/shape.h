// Shape: the dimensions of a tensor, outermost first (row-major), at most kMaxDims of them.
// Element counts are computed with overflow checks. Plain value type.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

namespace llm::core {

class Shape {
 public:
  static constexpr std::size_t kMaxDims = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims);  // NOLINT(*explicit*): `Shape s = {2, 3}`

  /// Appends an innermost dimension; false when the shape is full or `dim` is negative.
  [[nodiscard]] bool push_back(std::int64_t dim);

  std::size_t rank() const { return rank_; }
  std::int64_t operator[](std::size_t axis) const { return dims_[axis]; }
  std::int64_t back() const { return rank_ == 0 ? 1 : dims_[rank_ - 1]; }

  /// Product of all dimensions (1 for a scalar), or nothing on overflow of int64.
  std::optional<std::int64_t> elements() const;

  /// "(2048, 5632)"
  std::string to_string() const;

  friend bool operator==(const Shape& a, const Shape& b);

 private:
  std::array<std::int64_t, kMaxDims> dims_{};
  std::size_t rank_ = 0;
};

}  // namespace llm::core
