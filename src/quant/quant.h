// Scalar encode and decode of rows for every storable element type: the definition of what the
// bytes of each block format mean. Each block format has its own header with the byte layout.
#pragma once

#include <cstddef>
#include <cstdint>

#include "llm/dtype.h"

namespace llm::quant {

/// True when rows of this type can be decoded to f32: all float and block types.
bool can_decode(DType dtype);
/// True when rows of f32 can be encoded to this type.
bool can_encode(DType dtype);

/// Decodes `elements` (a multiple of the block) values of one row. `source` needs no alignment.
void decode_row(DType dtype, const std::byte* source, float* values, std::int64_t elements);
/// Encodes one row of `elements` (a multiple of the block) values, rounding to nearest even for f16
/// and bf16. Block formats expect finite values; others give unspecified codes.
void encode_row(DType dtype, const float* values, std::byte* target, std::int64_t elements);

}  // namespace llm::quant
