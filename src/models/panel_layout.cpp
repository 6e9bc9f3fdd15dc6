#include "models/panel_layout.h"

#include <span>
#include <vector>

#include "core/hash.h"

namespace llm::models {

std::uint64_t panel_layout(const kernels::Ops& ops, const std::set<DType>& dtypes) {
  core::Fnv1a hash;
  std::uint32_t state = 1;
  for (const DType dtype : dtypes) {
    // Two of the longest blocks; of the other types, a number of columns that is odd in every way.
    const std::int64_t cols = is_block_quantized(dtype) ? 512 : 515;
    const std::int64_t count = ops.panel_rows(dtype);
    const std::size_t row_size = row_bytes(dtype, static_cast<std::size_t>(cols));
    std::vector<std::vector<std::byte>> stored;
    std::vector<const std::byte*> rows;
    for (std::int64_t r = 0; r < count; ++r) {
      std::vector<std::byte>& row = stored.emplace_back(row_size);
      for (std::byte& byte : row) {
        state = state * 1664525U + 1013904223U;
        byte = static_cast<std::byte>(state >> 24U);
      }
      rows.push_back(row.data());
    }
    if (count > 1) rows.back() = nullptr;  // padding
    std::vector<std::byte> panel(ops.panel_bytes(dtype, cols));
    ops.pack_panel(dtype, cols, rows.data(), panel.data());
    hash.add(std::as_bytes(std::span(to_string(dtype))));
    hash.add(panel);
  }
  return hash.value();
}

}  // namespace llm::models
