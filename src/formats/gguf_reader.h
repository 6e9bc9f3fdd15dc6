// Reader of one GGUF file (little-endian, versions 2 and 3). Layout: "GGUF", u32 version, u64
// number of tensors, u64 number of metadata pairs; the pairs; per tensor its name, dimensions
// (innermost first), type id and offset; then, from the next multiple of the alignment, the
// tensors' bytes, each padded to the alignment. Every count, length and offset is checked against
// the bytes that are left before anything is allocated for it. The views point into the given
// bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "formats/gguf_metadata.h"
#include "formats/tensor_entry.h"
#include "llm/status.h"

namespace llm::formats {

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr std::size_t kGgufDefaultAlignment = 32;
inline constexpr std::size_t kGgufMaxKeyBytes = 65535;
/// The reference implementation's limits.
inline constexpr std::size_t kGgufMaxNameBytes = 63;
inline constexpr std::uint32_t kGgufMaxDims = 4;

struct GgufContents {
  std::uint32_t version = 0;
  GgufMetadata metadata;
  std::vector<TensorEntry> tensors;
  std::size_t alignment = kGgufDefaultAlignment;
};

/// `what` names the file in errors.
Result<GgufContents> parse_gguf(std::span<const std::byte> bytes, std::string_view what);

}  // namespace llm::formats
