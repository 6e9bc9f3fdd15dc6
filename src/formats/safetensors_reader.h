// Reader of one safetensors file. Layout: u64 length of the header; the header, a JSON object from
// tensor name to {dtype, shape, data_offsets}, plus "__metadata__"; then the tensors' bytes, which
// the entries must tile exactly. Alignment of the data is not required. The views point into the
// given bytes.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/tensor_entry.h"
#include "llm/status.h"

namespace llm::formats {

/// The reference implementation's limit on the header.
inline constexpr std::size_t kSafetensorsMaxHeaderBytes = 100'000'000;

struct SafetensorsContents {
  std::vector<TensorEntry> tensors;  ///< in file order
  std::map<std::string, std::string> metadata;
};

/// `what` names the file in errors.
Result<SafetensorsContents> parse_safetensors(std::span<const std::byte> bytes,
                                              std::string_view what);

/// The format's name of an element type ("BF16"); empty when it has none.
std::string_view safetensors_dtype_name(DType dtype);

}  // namespace llm::formats
