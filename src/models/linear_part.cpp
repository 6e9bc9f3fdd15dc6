#include "models/linear_part.h"

#include <fmt/core.h>

#include "core/check.h"

namespace llm::models {

// Of interleaved heads of d rows, stored row 2i + j is row j * d/2 + i in the order of halves.
std::int64_t LinearPart::row_in_file(std::int64_t row) const {
  if (interleaved_head_dim > 0) {
    const std::int64_t within = row % interleaved_head_dim - interleaved_first;
    const std::int64_t half = (interleaved_head_dim - interleaved_first) / 2;
    if (within >= 0) row = row - within + 2 * (within % half) + within / half;
  }
  if (blocks.block == 0) return blocks.offset + row;
  return blocks.offset + row / blocks.block * blocks.period + row % blocks.block;
}

std::string LinearPart::describe() const {
  std::string text = name;
  if (stored_rows > 0 || stored_matrices > 0) {
    text += fmt::format(" rows {}", blocks.offset);
    if (blocks.block > 0) text += fmt::format("+{} of every {}", blocks.block, blocks.period);
  }
  if (interleaved_head_dim > 0) {
    text += fmt::format(" interleaved {}..{}", interleaved_first, interleaved_head_dim);
  }
  return text;
}

core::Shape LinearPart::shape_in_file(std::int64_t cols) const {
  if (stored_flat) return {cols};
  if (stored_matrices > 0) return {stored_matrices, rows_in_file(), cols};
  return {rows_in_file(), cols};
}

std::string bias_name(std::string_view weight) {
  std::string name(weight);
  constexpr std::string_view kSuffix = ".weight";
  LLM_CHECK(name.size() > kSuffix.size() && name.ends_with(kSuffix));
  name.replace(name.size() - kSuffix.size(), kSuffix.size(), ".bias");
  return name;
}

}  // namespace llm::models
