#include "quant/quant.h"

#include <cstring>

#include "core/check.h"
#include "core/half.h"
#include "core/little_endian.h"
#include "quant/float8.h"
#include "quant/iq4_nl.h"
#include "quant/iq4_xs.h"
#include "quant/mxfp4.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"

namespace llm::quant {
namespace {

// The types of this build's tables, checked against the public list of dtypes.
template <class Block, DType dtype>
constexpr bool kMatches = dtype_info(dtype).block_bytes == sizeof(Block) &&
                          dtype_info(dtype).block_elements == Block::kElements;

template <class Block>
void decode_blocks(const std::byte* source, float* values, std::int64_t elements) {
  LLM_CHECK(elements % Block::kElements == 0);
  for (std::int64_t e = 0; e < elements; e += Block::kElements, source += sizeof(Block)) {
    Block block;
    std::memcpy(&block, source, sizeof block);
    decode(block, values + e);
  }
}

template <class Block>
void encode_blocks(const float* values, std::byte* target, std::int64_t elements) {
  LLM_CHECK(elements % Block::kElements == 0);
  for (std::int64_t e = 0; e < elements; e += Block::kElements, target += sizeof(Block)) {
    Block block;
    encode(values + e, block);
    std::memcpy(target, &block, sizeof block);
  }
}

template <class Stored, class Convert>
void decode_each(const std::byte* source, float* values, std::int64_t elements, Convert convert) {
  for (std::int64_t e = 0; e < elements; ++e) {
    values[e] =
        convert(core::load_le<Stored>(source + static_cast<std::size_t>(e) * sizeof(Stored)));
  }
}

template <class Convert>
void encode_each_16(const float* values, std::byte* target, std::int64_t elements,
                    Convert convert) {
  for (std::int64_t e = 0; e < elements; ++e) {
    core::store_le<std::uint16_t>(target + static_cast<std::size_t>(e) * 2, convert(values[e]));
  }
}

}  // namespace

// Every block format: dtype, struct.
#define LLM_ENCODABLE_BLOCKS(X) \
  X(q4_0, BlockQ4_0)            \
  X(q4_1, BlockQ4_1)            \
  X(q5_0, BlockQ5_0)            \
  X(q5_1, BlockQ5_1)            \
  X(q8_0, BlockQ8_0)            \
  X(q2_k, BlockQ2_K)            \
  X(q3_k, BlockQ3_K)            \
  X(q4_k, BlockQ4_K)            \
  X(q5_k, BlockQ5_K)            \
  X(q6_k, BlockQ6_K)            \
  X(iq4_nl, BlockIQ4_NL)
#define LLM_DECODE_ONLY_BLOCKS(X) \
  X(iq4_xs, BlockIQ4_XS)          \
  X(mxfp4, BlockMXFP4)

bool can_decode(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
    case DType::f64:
    case DType::f8_e4m3:
    case DType::f8_e5m2:
      return true;
    default:
      return is_block_quantized(dtype);
  }
}

bool can_encode(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
#define LLM_CASE(name, Block) case DType::name:
      LLM_ENCODABLE_BLOCKS(LLM_CASE)
#undef LLM_CASE
      return true;
    default:
      return false;
  }
}

void decode_row(DType dtype, const std::byte* source, float* values, std::int64_t elements) {
  LLM_CHECK(elements >= 0);
  switch (dtype) {
    case DType::f32:
      if (elements != 0) std::memcpy(values, source, static_cast<std::size_t>(elements) * 4);
      return;
    case DType::f64:
      decode_each<double>(source, values, elements,
                          [](double value) { return static_cast<float>(value); });
      return;
    case DType::f16:
      decode_each<std::uint16_t>(source, values, elements, core::f16_to_f32);
      return;
    case DType::bf16:
      decode_each<std::uint16_t>(source, values, elements, core::bf16_to_f32);
      return;
    case DType::f8_e4m3:
      decode_each<std::uint8_t>(source, values, elements, f8_e4m3_to_f32);
      return;
    case DType::f8_e5m2:
      decode_each<std::uint8_t>(source, values, elements, f8_e5m2_to_f32);
      return;
#define LLM_CASE(name, Block)                       \
  case DType::name:                                 \
    static_assert(kMatches<Block, DType::name>);    \
    decode_blocks<Block>(source, values, elements); \
    return;
      LLM_ENCODABLE_BLOCKS(LLM_CASE)
      LLM_DECODE_ONLY_BLOCKS(LLM_CASE)
#undef LLM_CASE
    default:
      LLM_CHECK(can_decode(dtype));
  }
}

void encode_row(DType dtype, const float* values, std::byte* target, std::int64_t elements) {
  LLM_CHECK(elements >= 0);
  switch (dtype) {
    case DType::f32:
      if (elements != 0) std::memcpy(target, values, static_cast<std::size_t>(elements) * 4);
      return;
    case DType::f16:
      encode_each_16(values, target, elements, core::f32_to_f16);
      return;
    case DType::bf16:
      encode_each_16(values, target, elements, core::f32_to_bf16);
      return;
#define LLM_CASE(name, Block)                       \
  case DType::name:                                 \
    encode_blocks<Block>(values, target, elements); \
    return;
      LLM_ENCODABLE_BLOCKS(LLM_CASE)
#undef LLM_CASE
    default:
      LLM_CHECK(can_encode(dtype));
  }
}

}  // namespace llm::quant
