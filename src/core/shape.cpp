#include "core/shape.h"

#include <algorithm>

#include "core/check.h"

namespace llm::core {

Shape::Shape(std::initializer_list<std::int64_t> dims) {
  for (const std::int64_t dim : dims) LLM_CHECK(push_back(dim));
}

bool Shape::push_back(std::int64_t dim) {
  if (rank_ == kMaxDims || dim < 0) return false;
  dims_[rank_++] = dim;
  return true;
}

std::optional<std::int64_t> Shape::elements() const {
  std::int64_t product = 1;
  for (std::size_t axis = 0; axis < rank_; ++axis) {
    if (__builtin_mul_overflow(product, dims_[axis], &product)) return std::nullopt;
  }
  return product;
}

std::string Shape::to_string() const {
  std::string text = "(";
  for (std::size_t axis = 0; axis < rank_; ++axis) {
    if (axis != 0) text += ", ";
    text += std::to_string(dims_[axis]);
  }
  return text + ")";
}

bool operator==(const Shape& a, const Shape& b) {
  return std::equal(a.dims_.begin(), a.dims_.begin() + static_cast<std::ptrdiff_t>(a.rank_),
                    b.dims_.begin(), b.dims_.begin() + static_cast<std::ptrdiff_t>(b.rank_));
}

}  // namespace llm::core
