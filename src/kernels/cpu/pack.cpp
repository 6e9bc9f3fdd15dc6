// Packing of weights into panels. Compiled once, for the baseline instruction set.
#include <array>
#include <bit>
#include <cstring>

#include "core/half.h"
#include "kernels/cpu/layout.h"
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

namespace llm::kernels::cpu {
namespace {

// ---- Float types --------------------------------------------------------------------------------

std::int64_t padded_columns(DType dtype, std::int64_t cols) {
  if (dtype != DType::bf16) return cols;
  return (cols + kBf16Columns - 1) / kBf16Columns * kBf16Columns;
}

/// Interleaves the rows in units of kUnit bytes; `row_bytes` need not be a multiple of it. Zeros
/// follow up to `units`.
template <std::size_t kUnit>
void interleave(const std::byte* const* rows, std::size_t panel_rows, std::size_t row_bytes,
                std::size_t units, std::byte* panel) {
  const std::size_t whole = row_bytes / kUnit;
  for (std::size_t u = 0; u < whole; ++u) {
    for (std::size_t r = 0; r < panel_rows; ++r) {
      std::byte* to = panel + (u * panel_rows + r) * kUnit;
      if (rows[r] == nullptr) {
        std::memset(to, 0, kUnit);
      } else {
        std::memcpy(to, rows[r] + u * kUnit, kUnit);
      }
    }
  }
  std::memset(panel + whole * panel_rows * kUnit, 0, (units - whole) * panel_rows * kUnit);
  const std::size_t rest = row_bytes - whole * kUnit;
  for (std::size_t r = 0; rest != 0 && r < panel_rows; ++r) {
    if (rows[r] == nullptr) continue;
    std::memcpy(panel + (whole * panel_rows + r) * kUnit, rows[r] + whole * kUnit, rest);
  }
}

// ---- Block types --------------------------------------------------------------------------------
// A reader turns one stored block into codes, scales and minimums in the terms of QuantFormat.

struct BlockFields {
  std::uint16_t d = 0;     // bits of an f16 (bf16 for MXFP4)
  std::uint16_t dmin = 0;  // bits of an f16; subtracted
  std::uint8_t codes[256] = {};
  std::uint8_t scales[16] = {};
  std::uint8_t minimums[16] = {};
};

std::uint16_t f16_bits(const quant::StoredF16& value) {
  return core::load_le<std::uint16_t>(value.bytes);
}

void split_nibbles(const std::uint8_t* qs, std::uint8_t* codes /* (32) */) {
  for (int e = 0; e < 16; ++e) {
    codes[e] = qs[e] & 15;
    codes[e + 16] = static_cast<std::uint8_t>(qs[e] >> 4);
  }
}

std::uint8_t low_byte(int value) { return static_cast<std::uint8_t>(value & 0xff); }

void read(const quant::BlockQ4_0& block, BlockFields& fields) {
  fields.d = f16_bits(block.d);
  split_nibbles(block.qs, fields.codes);
}

void read(const quant::BlockQ4_1& block, BlockFields& fields) {
  fields.d = f16_bits(block.d);
  fields.dmin = f16_bits(block.m) ^ 0x8000u;  // stored as an addend
  split_nibbles(block.qs, fields.codes);
}

void add_fifth_bits(const std::uint8_t* qh /* (4) */, std::uint8_t* codes /* (32) */) {
  for (int e = 0; e < 32; ++e) codes[e] |= low_byte(((qh[e / 8] >> (e % 8)) & 1) << 4);
}

void read(const quant::BlockQ5_0& block, BlockFields& fields) {
  fields.d = f16_bits(block.d);
  split_nibbles(block.qs, fields.codes);
  add_fifth_bits(block.qh, fields.codes);
}

void read(const quant::BlockQ5_1& block, BlockFields& fields) {
  fields.d = f16_bits(block.d);
  fields.dmin = f16_bits(block.m) ^ 0x8000u;
  split_nibbles(block.qs, fields.codes);
  add_fifth_bits(block.qh, fields.codes);
}

void read(const quant::BlockQ8_0& block, BlockFields& fields) {
  fields.d = f16_bits(block.d);
  std::memcpy(fields.codes, block.qs, 32);
}

/// The low bits of Q2_K and Q3_K.
void read_two_bits(const std::uint8_t* qs /* (64) */, std::uint8_t* codes /* (256) */) {
  for (int e = 0; e < 256; ++e) {
    codes[e] = (qs[32 * (e / 128) + e % 32] >> (2 * (e % 128 / 32))) & 3;
  }
}

void read(const quant::BlockQ2_K& block, BlockFields& fields) {
  fields.d = f16_bits(block.d);
  fields.dmin = f16_bits(block.dmin);
  read_two_bits(block.qs, fields.codes);
  for (int b = 0; b < 16; ++b) {
    fields.scales[b] = block.scales[b] & 15;
    fields.minimums[b] = static_cast<std::uint8_t>(block.scales[b] >> 4);
  }
}

void read(const quant::BlockQ3_K& block, BlockFields& fields) {
  fields.d = f16_bits(block.d);
  read_two_bits(block.qs, fields.codes);
  for (int e = 0; e < 256; ++e) {
    fields.codes[e] |= low_byte(((block.hmask[e % 32] >> (e / 32)) & 1) << 2);
  }
  for (int b = 0; b < 16; ++b) fields.scales[b] = low_byte(block.scale(b));
}

void read_four_bits(const std::uint8_t* qs /* (128) */, std::uint8_t* codes /* (256) */) {
  for (int e = 0; e < 256; ++e) {
    codes[e] = (qs[32 * (e / 64) + e % 32] >> (4 * (e % 64 / 32))) & 15;
  }
}

void read(const quant::BlockQ4_K& block, BlockFields& fields) {
  fields.d = f16_bits(block.d);
  fields.dmin = f16_bits(block.dmin);
  read_four_bits(block.qs, fields.codes);
  for (int b = 0; b < 8; ++b) {
    fields.scales[b] = low_byte(block.scales.scale(b));
    fields.minimums[b] = low_byte(block.scales.minimum(b));
  }
}

void read(const quant::BlockQ5_K& block, BlockFields& fields) {
  fields.d = f16_bits(block.d);
  fields.dmin = f16_bits(block.dmin);
  read_four_bits(block.qs, fields.codes);
  for (int e = 0; e < 256; ++e) {
    fields.codes[e] |= low_byte(((block.qh[e % 32] >> (e / 32)) & 1) << 4);
  }
  for (int b = 0; b < 8; ++b) {
    fields.scales[b] = low_byte(block.scales.scale(b));
    fields.minimums[b] = low_byte(block.scales.minimum(b));
  }
}

void read(const quant::BlockQ6_K& block, BlockFields& fields) {
  fields.d = f16_bits(block.d);
  for (int e = 0; e < 256; ++e) {
    const int n = e / 128;
    const int g = e % 128 / 32;
    const int l = e % 32;
    const int low = (block.ql[64 * n + 32 * (g % 2) + l] >> (g < 2 ? 0 : 4)) & 15;
    fields.codes[e] = low_byte(low | ((block.qh[32 * n + l] >> (2 * g)) & 3) << 4);
  }
  for (int b = 0; b < 16; ++b) fields.scales[b] = low_byte(block.scales[b]);
}

void read(const quant::BlockIQ4_NL& block, BlockFields& fields) {
  fields.d = f16_bits(block.d);
  split_nibbles(block.qs, fields.codes);
}

void read(const quant::BlockIQ4_XS& block, BlockFields& fields) {
  fields.d = f16_bits(block.d);
  for (int b = 0; b < 8; ++b) {
    split_nibbles(block.qs + 16 * b, fields.codes + 32 * b);
    fields.scales[b] = low_byte(block.scale(b));
  }
}

void read(const quant::BlockMXFP4& block, BlockFields& fields) {
  // A power of two from 2^-128 on: exact in bf16.
  fields.d = core::f32_to_bf16(block.half_scale());
  split_nibbles(block.qs, fields.codes);
}

template <DType dtype>
struct StoredBlock;
// clang-format off
template <> struct StoredBlock<DType::q4_0> { using Type = quant::BlockQ4_0; };
template <> struct StoredBlock<DType::q4_1> { using Type = quant::BlockQ4_1; };
template <> struct StoredBlock<DType::q5_0> { using Type = quant::BlockQ5_0; };
template <> struct StoredBlock<DType::q5_1> { using Type = quant::BlockQ5_1; };
template <> struct StoredBlock<DType::q8_0> { using Type = quant::BlockQ8_0; };
template <> struct StoredBlock<DType::q2_k> { using Type = quant::BlockQ2_K; };
template <> struct StoredBlock<DType::q3_k> { using Type = quant::BlockQ3_K; };
template <> struct StoredBlock<DType::q4_k> { using Type = quant::BlockQ4_K; };
template <> struct StoredBlock<DType::q5_k> { using Type = quant::BlockQ5_K; };
template <> struct StoredBlock<DType::q6_k> { using Type = quant::BlockQ6_K; };
template <> struct StoredBlock<DType::iq4_nl> { using Type = quant::BlockIQ4_NL; };
template <> struct StoredBlock<DType::iq4_xs> { using Type = quant::BlockIQ4_XS; };
template <> struct StoredBlock<DType::mxfp4> { using Type = quant::BlockMXFP4; };
// clang-format on

/// Writes the fields of one row's superblock to its place in the panel's superblock.
template <QuantFormat f>
void place(const BlockFields& fields, std::int64_t row, std::int64_t panel_rows, int int8_offset,
           std::uint8_t* to) {
  std::memcpy(to + row * 2, &fields.d, 2);
  if (f.has_minimum) std::memcpy(to + panel_rows * 2 + row * 2, &fields.dmin, 2);
  for (int b = 0; b < f.blocks; ++b) {
    std::uint8_t* scales = to + f.head_bytes(panel_rows) + b * f.block_bytes(panel_rows);
    std::uint8_t* minimums = scales + f.scales_bytes(panel_rows);
    std::uint8_t* codes = minimums + f.minimums_bytes(panel_rows);
    for (int g = 0; g < f.groups && f.has_scales; ++g) {
      scales[g * panel_rows + row] = fields.scales[b * f.groups + g];
      if (f.has_minimum) minimums[g * panel_rows + row] = fields.minimums[b * f.groups + g];
    }
    const std::uint8_t* from = fields.codes + b * kQuantBlock;
    for (int c = 0; c < kQuantBlock; ++c) {
      const int step = c / 4;
      std::uint8_t code = from[c];
      if (f.codes == Codes::int8) code = low_byte(code + int8_offset);
      if (f.nibbles) {
        std::uint8_t& byte = codes[((step % 4) * panel_rows + row) * 4 + c % 4];
        byte = step < 4 ? code : low_byte(byte | code << 4);
      } else {
        codes[(step * panel_rows + row) * 4 + c % 4] = code;
      }
    }
  }
}

template <DType dtype>
void pack_blocks(std::int64_t cols, const std::byte* const* rows, std::int64_t panel_rows,
                 int int8_offset, std::byte* panel) {
  constexpr QuantFormat f = quant_format(dtype);
  using Block = typename StoredBlock<dtype>::Type;
  static_assert(f.blocks * kQuantBlock == Block::kElements);
  auto* to = reinterpret_cast<std::uint8_t*>(panel);
  for (std::int64_t s = 0; s < cols / Block::kElements; ++s) {
    for (std::int64_t r = 0; r < panel_rows; ++r) {
      BlockFields fields;  // all scales zero: a row of zeros
      if (rows[r] != nullptr) {
        Block block;
        std::memcpy(&block, rows[r] + static_cast<std::size_t>(s) * sizeof block, sizeof block);
        read(block, fields);
      }
      place<f>(fields, r, panel_rows, int8_offset, to);
    }
    to += f.superblock_bytes(panel_rows);
  }
}

template <DType dtype>
std::int64_t block_panel_bytes(std::int64_t cols, std::int64_t panel_rows) {
  constexpr QuantFormat f = quant_format(dtype);
  return cols / (f.blocks * kQuantBlock) * f.superblock_bytes(panel_rows);
}

using CodeTable = std::array<std::uint8_t, 16>;

CodeTable with_offset(const std::int8_t* values, int offset) {
  CodeTable table{};
  for (std::size_t n = 0; n < table.size(); ++n) table[n] = low_byte(values[n] + offset);
  return table;
}

}  // namespace

const std::uint8_t* code_table(DType dtype, int int8_offset) {
  static const CodeTable tables[2][2] = {
      {with_offset(quant::kIq4Table, 0), with_offset(quant::kIq4Table, 128)},
      {with_offset(quant::kE2m1Doubled, 0), with_offset(quant::kE2m1Doubled, 128)}};
  return tables[dtype == DType::mxfp4 ? 1 : 0][int8_offset == 0 ? 0 : 1].data();
}

std::size_t panel_bytes(DType weight, std::int64_t cols, int lanes) {
  const std::int64_t panel_rows = kPanelVectors * std::int64_t{lanes};
  std::int64_t bytes = 0;
  switch (weight) {
#define LLM_CASE(name)                                        \
  case DType::name:                                           \
    bytes = block_panel_bytes<DType::name>(cols, panel_rows); \
    break;
    LLM_QUANT_DTYPES(LLM_CASE)
#undef LLM_CASE
    default:
      bytes = padded_columns(weight, cols) * panel_rows *
              static_cast<std::int64_t>(dtype_info(weight).block_bytes);
  }
  return (static_cast<std::size_t>(bytes) + 63) / 64 * 64;
}

void pack_panel(DType weight, std::int64_t cols, const std::byte* const* rows, int lanes,
                int int8_offset, std::byte* panel) {
  const std::int64_t panel_rows = kPanelVectors * std::int64_t{lanes};
  const std::size_t float_row = row_bytes(weight, static_cast<std::size_t>(cols));
  const auto padded = static_cast<std::size_t>(padded_columns(weight, cols));
  switch (weight) {
#define LLM_CASE(name)                                                    \
  case DType::name:                                                       \
    pack_blocks<DType::name>(cols, rows, panel_rows, int8_offset, panel); \
    break;
    LLM_QUANT_DTYPES(LLM_CASE)
#undef LLM_CASE
    case DType::f16:
      interleave<2>(rows, static_cast<std::size_t>(panel_rows), float_row, padded, panel);
      break;
    case DType::bf16:  // in pairs
      interleave<4>(rows, static_cast<std::size_t>(panel_rows), float_row, padded / 2, panel);
      break;
    default:
      interleave<4>(rows, static_cast<std::size_t>(panel_rows), float_row, padded, panel);
  }
}

}  // namespace llm::kernels::cpu
