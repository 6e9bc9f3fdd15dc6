// The type ids of GGUF: of metadata values, and of tensors (including those this build cannot use,
// so that an error can name them).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "llm/dtype.h"

namespace llm::formats {

/// Type of a metadata value as stored; the numbers are the file's.
enum class GgufType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

/// "u32", "string" ..., or "unknown type 77".
std::string gguf_type_name(std::uint32_t id);

/// Bytes of one value; for strings the 8 bytes of the length. 0 for arrays and unknown ids.
std::size_t gguf_type_bytes(std::uint32_t id);

/// The element type with that id, when this build has it.
std::optional<DType> dtype_from_gguf(std::uint32_t id);

/// What a tensor type id means, for messages: "IQ2_XXS", "a removed type", ...
std::string gguf_tensor_type_name(std::uint32_t id);

}  // namespace llm::formats
