// Memory layouts that the packing code (compiled once) and the kernels (compiled per instruction
// set) agree on: panels of weights and rows of 8-bit activations.
//
// A panel holds kPanelVectors * lanes consecutive outputs, where `lanes` is the vector width in
// 32-bit values, as one stream in the order in which the kernel reads it: each lane of a register
// belongs to one output and steps through the columns.
//   f32, f16     [column][output]
//   bf16         [column / 2][output][2], padded to kBf16Columns
//   block types  see QuantFormat
// Columns beyond the end are zeros.
#pragma once

#include <cstddef>
#include <cstdint>

#include "llm/dtype.h"

namespace llm::kernels::cpu {

inline constexpr int kPanelVectors = 2;
inline constexpr int kBf16Columns = 32;  ///< of one product of AMX tiles
inline constexpr int kQuantBlock = 32;  ///< columns that share an activation scale

/// 32 activations of one row: one cache line. The sums serve weights that are stored with an
/// offset (exactly, in integers) or that have a minimum: over columns 0..15, 16..31 and all.
struct Q8Block {
  float scale;               ///< value = scale * q
  float scaled_sum[3];       ///< scale * sum(q)
  std::int32_t neg8_sum[3];  ///< -8 * sum(q)
  std::int32_t unused;
  std::int8_t q[kQuantBlock];
};
static_assert(sizeof(Q8Block) == 64);

/// What the codes of a block type stand for.
enum class Codes : std::uint8_t {
  uint7,  ///< code - offset, codes in 0..127
  int8,   ///< -128..127, stored plus the instruction set's kInt8Offset
  table,  ///< a nibble: index into a table of 16 values in -128..127
};

/// How block types lie in a panel of R outputs. A superblock is
///   d (R x f16, bf16 for MXFP4)   [dmin (R x f16)]
/// followed by `blocks` times
///   [scales (groups x R x 8 bit)]   [minimums (groups x R x u8)]   codes
/// where the codes of 32 columns are [step][output][4 columns] with 8 steps; nibbles hold step s in
/// the low and step s + 4 in the high half of [s][output][4].
///   weight = (d * scale) * value - dmin * minimum      (scale, minimum: 1 when not stored)
struct QuantFormat {
  int blocks = 1;  ///< of 32 columns, in a superblock
  int groups = 1;  ///< parts of a block with a scale of their own: 1 or 2
  bool nibbles = false;
  int max_code = 15;  ///< largest uint7 code
  Codes codes = Codes::uint7;
  int offset = 0;  ///< of uint7 codes: a power of two, 4 or more, or 0
  bool has_scales = false;
  bool signed_scales = false;
  bool has_minimum = false;
  bool bf16_scale = false;

  constexpr std::int64_t head_bytes(std::int64_t panel_rows) const {
    return panel_rows * (has_minimum ? 4 : 2);
  }
  constexpr std::int64_t scales_bytes(std::int64_t panel_rows) const {
    return has_scales ? panel_rows * groups : 0;
  }
  constexpr std::int64_t minimums_bytes(std::int64_t panel_rows) const {
    return has_scales && has_minimum ? panel_rows * groups : 0;
  }
  constexpr std::int64_t codes_bytes(std::int64_t panel_rows) const {
    return panel_rows * (nibbles ? kQuantBlock / 2 : kQuantBlock);
  }
  constexpr std::int64_t block_bytes(std::int64_t panel_rows) const {
    return scales_bytes(panel_rows) + minimums_bytes(panel_rows) + codes_bytes(panel_rows);
  }
  constexpr std::int64_t superblock_bytes(std::int64_t panel_rows) const {
    return head_bytes(panel_rows) + blocks * block_bytes(panel_rows);
  }
};

/// Formats of 4 bits and less stay 4-bit; those of 5 and 6 bits are widened to bytes, which costs
/// memory (8.6 bits per weight for Q5_K and Q6_K) and saves their reassembly in the inner loop.
/// For constants only: kernels must not call it at run time (see isa.h).
constexpr QuantFormat quant_format(DType dtype) {
  switch (dtype) {
    case DType::q4_0:
      return {.nibbles = true, .offset = 8};
    case DType::q4_1:
      return {.nibbles = true, .has_minimum = true};
    case DType::q5_0:
      return {.max_code = 31, .offset = 16};
    case DType::q5_1:
      return {.max_code = 31, .has_minimum = true};
    case DType::q8_0:
      return {.codes = Codes::int8};
    case DType::q2_k:
      return {.blocks = 8, .groups = 2, .nibbles = true, .has_scales = true, .has_minimum = true};
    case DType::q3_k:
      return {.blocks = 8,
              .groups = 2,
              .nibbles = true,
              .offset = 4,
              .has_scales = true,
              .signed_scales = true};
    case DType::q4_k:
      return {.blocks = 8, .nibbles = true, .has_scales = true, .has_minimum = true};
    case DType::q5_k:
      return {.blocks = 8, .max_code = 31, .has_scales = true, .has_minimum = true};
    case DType::q6_k:
      return {.blocks = 8,
              .groups = 2,
              .max_code = 63,
              .offset = 32,
              .has_scales = true,
              .signed_scales = true};
    case DType::iq4_nl:
      return {.nibbles = true, .codes = Codes::table};
    case DType::iq4_xs:
      return {.blocks = 8,
              .nibbles = true,
              .codes = Codes::table,
              .has_scales = true,
              .signed_scales = true};
    case DType::mxfp4:
      return {.nibbles = true, .codes = Codes::table, .bf16_scale = true};
    default:
      return {.blocks = 0};
  }
}

/// Block types with a QuantFormat, for switches over them.
#define LLM_QUANT_DTYPES(X) \
  X(q4_0)                   \
  X(q4_1)                   \
  X(q5_0) X(q5_1) X(q8_0) X(q2_k) X(q3_k) X(q4_k) X(q5_k) X(q6_k) X(iq4_nl) X(iq4_xs) X(mxfp4)

/// Table of a format with Codes::table, each value plus `int8_offset`. The result is 16 bytes long
/// and lives forever.
const std::uint8_t* code_table(DType dtype, int int8_offset);

/// Bytes of one panel, a multiple of 64.
std::size_t panel_bytes(DType weight, std::int64_t cols, int lanes);
/// Fills one panel; the contract is that of Ops::pack_panel.
void pack_panel(DType weight, std::int64_t cols, const std::byte* const* rows, int lanes,
                int int8_offset, std::byte* panel);

}  // namespace llm::kernels::cpu
