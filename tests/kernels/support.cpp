#include "kernels/support.h"

#include <cstring>

#include "quant/quant.h"

namespace llm::kernels {
namespace {

/// For types that have no encoder: bytes taken from the values' bits, with a scale of sane size.
void fill_blocks(DType dtype, const float* values, std::byte* row, std::size_t row_bytes) {
  const std::size_t block = dtype_info(dtype).block_bytes;
  for (std::size_t n = 0; n < row_bytes; ++n) {
    std::uint32_t bits;
    std::memcpy(&bits, values + n, sizeof bits);
    row[n] = static_cast<std::byte>((bits >> 8) & 0xff);
  }
  for (std::size_t b = 0; b < row_bytes; b += block) {
    const bool zero = values[b] == 0.0f;
    if (dtype == DType::mxfp4) {
      row[b] = zero ? std::byte{0} : std::byte{125};
    } else {  // IQ4_XS: an f16 of 2^-10
      row[b] = std::byte{0};
      row[b + 1] = zero ? std::byte{0} : std::byte{0x14};
    }
  }
}

}  // namespace

StoredMatrix::StoredMatrix(DType type, std::int64_t n_rows, std::int64_t n_cols,
                           const std::vector<float>& source)
    : dtype(type), rows(n_rows), cols(n_cols), values(source.size()) {
  const std::size_t stride = row_bytes(dtype, static_cast<std::size_t>(cols));
  bytes.resize(stride * static_cast<std::size_t>(rows));
  for (std::int64_t r = 0; r < rows; ++r) {
    std::byte* row = bytes.data() + static_cast<std::size_t>(r) * stride;
    if (quant::can_encode(dtype)) {
      quant::encode_row(dtype, source.data() + r * cols, row, cols);
    } else {
      fill_blocks(dtype, source.data() + r * cols, row, stride);
    }
    quant::decode_row(dtype, row, values.data() + r * cols, cols);
  }
}

TestMatrix::TestMatrix(const Ops& ops, const StoredMatrix& stored) {
  packed.dtype = stored.dtype;
  packed.input = ops.input_format(stored.dtype);
  packed.rows = stored.rows;
  packed.cols = stored.cols;
  packed.panel_rows = ops.panel_rows(stored.dtype);
  packed.panel_bytes = ops.panel_bytes(stored.dtype, stored.cols);
  data = buffer(packed.panel_bytes * static_cast<std::size_t>(packed.panels()));
  packed.data = data.data();
  const std::size_t stride = row_bytes(stored.dtype, static_cast<std::size_t>(stored.cols));
  for (std::int64_t p = 0; p < packed.panels(); ++p) {
    std::vector<const std::byte*> rows;
    for (std::int64_t r = p * packed.panel_rows; r < (p + 1) * packed.panel_rows; ++r) {
      rows.push_back(r < stored.rows ? stored.bytes.data() + static_cast<std::size_t>(r) * stride
                                     : nullptr);
    }
    std::byte* panel = data.data() + static_cast<std::size_t>(p) * packed.panel_bytes;
    std::memset(panel, 0xff, packed.panel_bytes);  // packing must not rely on zeroed memory
    ops.pack_panel(stored.dtype, stored.cols, rows.data(), panel);
  }
}

core::AlignedBuffer prepare(const Ops& ops, const PackedMatrix& w, const std::vector<float>& x,
                            std::int64_t tokens) {
  const std::size_t bytes = ops.input_row_bytes(w.input, w.cols) * static_cast<std::size_t>(tokens);
  core::AlignedBuffer rows = buffer(bytes);
  std::memset(rows.data(), 0xff, bytes);
  // In two parts: a row's form must not depend on the range it is prepared in.
  ops.prepare_input(w.input, x.data(), w.cols, w.cols, 0, tokens / 2, rows.data());
  ops.prepare_input(w.input, x.data(), w.cols, w.cols, tokens / 2, tokens, rows.data());
  return rows;
}

std::vector<float> multiply(const Ops& ops, const TestMatrix& w, const std::vector<float>& x,
                            std::int64_t tokens, const MatmulOptions& options) {
  const core::AlignedBuffer input = prepare(ops, w.packed, x, tokens);
  core::AlignedBuffer scratch = buffer(ops.matmul_scratch_bytes(w.packed.dtype, w.packed.cols));
  std::vector<float> y(static_cast<std::size_t>(tokens * w.packed.rows), -77.0f);
  if (options.previous != nullptr) y = *options.previous;
  MatmulArgs args;
  args.w = &w.packed;
  args.x = input.data();
  args.tokens = tokens;
  args.y = y.data();
  args.y_stride = w.packed.rows;
  args.bias = options.bias;
  args.accumulate = options.previous != nullptr;
  ops.matmul(args, options.panel_begin,
             options.panel_end < 0 ? w.packed.panels() : options.panel_end, scratch.data());
  return y;
}

bool same_bits(const float* a, const float* b, std::int64_t count) {
  return std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof(float)) == 0;
}

}  // namespace llm::kernels
