// DType: the element type of a tensor, as stored in a file or in memory. Block types (q4_0 ...)
// pack `block_elements` consecutive elements of a row into `block_bytes` bytes; their layouts are
// the ones of GGUF (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), described byte by
// byte in src/quant/. Plain value type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace llm {

// name, GGUF type id, elements per block, bytes per block
#define LLM_DTYPES(X)       \
  X(f32, 0, 1, 4)           \
  X(f16, 1, 1, 2)           \
  X(q4_0, 2, 32, 18)        \
  X(q4_1, 3, 32, 20)        \
  X(q5_0, 6, 32, 22)        \
  X(q5_1, 7, 32, 24)        \
  X(q8_0, 8, 32, 34)        \
  X(q2_k, 10, 256, 84)      \
  X(q3_k, 11, 256, 110)     \
  X(q4_k, 12, 256, 144)     \
  X(q5_k, 13, 256, 176)     \
  X(q6_k, 14, 256, 210)     \
  X(iq4_nl, 20, 32, 18)     \
  X(iq4_xs, 23, 256, 136)   \
  X(i8, 24, 1, 1)           \
  X(i16, 25, 1, 2)          \
  X(i32, 26, 1, 4)          \
  X(i64, 27, 1, 8)          \
  X(f64, 28, 1, 8)          \
  X(bf16, 30, 1, 2)         \
  X(mxfp4, 39, 32, 17)      \
  X(u8, -1, 1, 1)           \
  X(boolean, -1, 1, 1)      \
  X(f8_e4m3, -1, 1, 1)      \
  X(f8_e5m2, -1, 1, 1)      \
  X(u16, -1, 1, 2)          \
  X(u32, -1, 1, 4)          \
  X(u64, -1, 1, 8)

enum class DType : std::uint8_t {
#define LLM_DTYPE_ENUM(name, id, elements, bytes) name,
  LLM_DTYPES(LLM_DTYPE_ENUM)
#undef LLM_DTYPE_ENUM
};

struct DTypeInfo {
  std::string_view name;       ///< lower case, as the command line and the API spell it
  int gguf_id;                 ///< type id in GGUF, or -1 when GGUF has none
  std::size_t block_elements;  ///< 1 for plain types
  std::size_t block_bytes;
};

constexpr DTypeInfo dtype_info(DType dtype) {
  switch (dtype) {
#define LLM_DTYPE_INFO(name, id, elements, bytes) \
  case DType::name:                               \
    return {#name, id, elements, bytes};
    LLM_DTYPES(LLM_DTYPE_INFO)
#undef LLM_DTYPE_INFO
  }
  return {"?", -1, 1, 0};
}

constexpr std::string_view to_string(DType dtype) { return dtype_info(dtype).name; }

/// True for types that pack several elements into a block with shared scales.
constexpr bool is_block_quantized(DType dtype) { return dtype_info(dtype).block_elements > 1; }

/// The type with that (lower-case) name, if any.
constexpr std::optional<DType> dtype_from_name(std::string_view name) {
#define LLM_DTYPE_NAME(n, id, elements, bytes) \
  if (name == #n) return DType::n;
  LLM_DTYPES(LLM_DTYPE_NAME)
#undef LLM_DTYPE_NAME
  return std::nullopt;
}

/// Bytes of `elements` consecutive elements of one row; `elements` must be a multiple of the block.
constexpr std::size_t row_bytes(DType dtype, std::size_t elements) {
  const DTypeInfo info = dtype_info(dtype);
  return elements / info.block_elements * info.block_bytes;
}

}  // namespace llm
