#include "models/weight_loader.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/error.h"
#include "quant/quant.h"

namespace llm::models {
namespace {

// The type a matrix keeps in memory when no other is asked for: the kernels multiply f32, f16, bf16
// and block types; what else can be decoded (f64) becomes f32.
DType kept_type(DType stored) {
  const bool runs = stored == DType::f32 || stored == DType::f16 || stored == DType::bf16 ||
                    is_block_quantized(stored);
  return runs ? stored : DType::f32;
}

// True when no element of a stored float row has the exponent of infinities and NaNs.
bool stored_row_finite(DType dtype, const std::byte* row, std::int64_t cols) {
  const auto sixteen_bit = [&](std::uint16_t exponent) {
    bool finite = true;
    for (std::int64_t c = 0; c < cols; ++c) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, row + 2 * c, sizeof bits);
      finite &= (bits & exponent) != exponent;
    }
    return finite;
  };
  if (dtype == DType::f16) return sixteen_bit(0x7c00);
  if (dtype == DType::bf16) return sixteen_bit(0x7f80);
  if (dtype != DType::f32) return true;  // block types: checked where they are used
  bool finite = true;
  for (std::int64_t c = 0; c < cols; ++c) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, row + 4 * c, sizeof bits);
    finite &= (bits & 0x7f800000u) != 0x7f800000u;
  }
  return finite;
}

}  // namespace

WeightLoader::WeightLoader(const formats::ModelFile& file, std::optional<DType> target,
                           const kernels::Ops& ops, core::ThreadPool& pool, LoadMode mode,
                           PackedWeights* packed)
    : file_(file),
      target_(target),
      ops_(ops),
      pool_(pool),
      mode_(mode),
      packed_(packed),
      claims_(file) {}

Result<std::vector<float>> WeightLoader::vector(std::string_view name, std::int64_t size) {
  return values(name, {size});
}

Result<std::vector<float>> WeightLoader::matrix(std::string_view name, std::int64_t rows,
                                                std::int64_t cols) {
  return values(name, {rows, cols});
}

Result<std::vector<float>> WeightLoader::values(std::string_view name, const core::Shape& shape) {
  LLM_ASSIGN_OR_RETURN(std::vector<float> values, claims_.values(name, shape));
  parameters_ += static_cast<std::uint64_t>(values.size());
  return values;
}

Result<std::vector<float>> WeightLoader::bias(const LinearPart& part) {
  const std::string name = bias_name(part.name);
  const bool present = file_.find(name) != nullptr;
  if (part.bias == BiasRule::none || (part.bias == BiasRule::optional && !present)) {
    return std::vector<float>();
  }
  LLM_ASSIGN_OR_RETURN(const std::vector<float> stored, vector(name, part.rows_in_file()));
  std::vector<float> ordered(static_cast<std::size_t>(part.rows));
  for (std::int64_t row = 0; row < part.rows; ++row) {
    ordered[static_cast<std::size_t>(row)] =
        stored[static_cast<std::size_t>(part.row_in_file(row))];
  }
  parameters_ -=
      static_cast<std::uint64_t>(stored.size() - ordered.size());  // counted by other parts
  return ordered;
}

Result<Linear> WeightLoader::make(std::string name, DType dtype, std::int64_t rows,
                                  std::int64_t cols, core::FunctionRef<Status(Linear&)> fill) {
  Linear linear;
  kernels::PackedMatrix& matrix = linear.matrix;
  matrix = {.dtype = dtype,
            .input = ops_.input_format(dtype),
            .rows = rows,
            .cols = cols,
            .panel_rows = ops_.panel_rows(dtype),
            .panel_bytes = ops_.panel_bytes(dtype, cols),
            .data = nullptr};
  parameters_ += static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(cols);
  const formats::PackedMatrixEntry& entry =
      matrices_.emplace_back(formats::PackedMatrixEntry{.name = std::move(name),
                                                        .dtype = dtype,
                                                        .rows = rows,
                                                        .cols = cols,
                                                        .panel_rows = matrix.panel_rows,
                                                        .panel_bytes = matrix.panel_bytes});
  if (mode_ == LoadMode::plan) return linear;
  if (packed_ != nullptr && packed_->mapped()) {
    LLM_ASSIGN_OR_RETURN(matrix.data, packed_->take(entry));
    return linear;
  }
  const std::size_t bytes = static_cast<std::size_t>(matrix.panels()) * matrix.panel_bytes;
  LLM_ASSIGN_OR_RETURN(linear.storage, core::AlignedBuffer::allocate(bytes, "weights"));
  matrix.data = linear.storage.data();
  LLM_RETURN_IF_ERROR(fill(linear));
  if (packed_ != nullptr) LLM_RETURN_IF_ERROR(packed_->add(entry, {matrix.data, bytes}));
  return linear;
}

Result<Linear> WeightLoader::linear(const LinearPart& part, std::int64_t cols) {
  LLM_ASSIGN_OR_RETURN(const formats::TensorEntry* entry,
                       claims_.claim(part.name, part.shape_in_file(cols)));
  const DType dtype = part.keep_f32 ? DType::f32 : target_.value_or(kept_type(entry->view.dtype));
  LLM_ASSIGN_OR_RETURN(const BlockScales factors, claims_.scales(*entry, scale_block_));
  LLM_ASSIGN_OR_RETURN(Linear linear,
                       make(part.describe(), dtype, part.rows, cols,
                            [&](Linear& to) { return pack(*entry, part, factors, dtype, to); }));
  LLM_ASSIGN_OR_RETURN(linear.bias, bias(part));
  return linear;
}

Result<Linear> WeightLoader::transposed(const LinearPart& part, std::int64_t cols) {
  LLM_ASSIGN_OR_RETURN(const formats::TensorEntry* entry,
                       claims_.claim(part.name, part.shape_in_file(cols)));
  // Blocks run along rows; columns of them are not worth another encoding.
  const DType kept = kept_type(entry->view.dtype);
  const DType dtype = target_.value_or(is_block_quantized(kept) ? DType::f32 : kept);
  LLM_ASSIGN_OR_RETURN(const BlockScales factors, claims_.scales(*entry, scale_block_));
  return make(part.describe() + " transposed", dtype, cols, part.rows,
              [&](Linear& to) { return fill_transposed(*entry, part, factors, to); });
}

Status WeightLoader::fill_transposed(const formats::TensorEntry& entry, const LinearPart& part,
                                     const BlockScales& scales, Linear& linear) const {
  const DType dtype = linear.matrix.dtype;
  const std::int64_t cols = linear.matrix.rows;  // of the part as stored
  const std::int64_t rows = part.rows;
  const std::size_t stored_bytes = row_bytes(entry.view.dtype, static_cast<std::size_t>(cols));
  std::vector<std::byte> stored(stored_bytes);
  std::vector<float> row(static_cast<std::size_t>(cols));
  std::vector<float> turned(static_cast<std::size_t>(rows * cols));
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t source = part.row_in_file(r);
    LLM_RETURN_IF_ERROR(read_rows(entry, part, r, 1, stored_bytes, stored.data()));
    quant::decode_row(entry.view.dtype, stored.data(), row.data(), cols);
    scales.apply(source, row.data(), cols);
    if (!all_finite(row)) {
      return core::corrupt_data("{}: row {}: expected finite numbers, found NaN or infinity",
                                claims_.where(entry.name), source);
    }
    for (std::int64_t c = 0; c < cols; ++c) {
      turned[static_cast<std::size_t>(c * rows + r)] = row[static_cast<std::size_t>(c)];
    }
  }
  const kernels::PackedMatrix& matrix = linear.matrix;
  const std::size_t target_bytes = row_bytes(dtype, static_cast<std::size_t>(rows));
  std::vector<std::byte> encoded(target_bytes * static_cast<std::size_t>(matrix.panel_rows));
  std::vector<const std::byte*> panel_rows(static_cast<std::size_t>(matrix.panel_rows));
  for (std::int64_t panel = 0; panel < matrix.panels(); ++panel) {
    for (std::size_t r = 0; r < panel_rows.size(); ++r) {
      const std::int64_t target = panel * matrix.panel_rows + static_cast<std::int64_t>(r);
      std::byte* at = encoded.data() + r * target_bytes;
      panel_rows[r] = target < cols ? at : nullptr;
      if (target < cols) quant::encode_row(dtype, turned.data() + target * rows, at, rows);
    }
    ops_.pack_panel(dtype, rows, panel_rows.data(),
                    linear.storage.data() + static_cast<std::size_t>(panel) * matrix.panel_bytes);
  }
  return {};
}

Status WeightLoader::read_rows(const formats::TensorEntry& entry, const LinearPart& part,
                               std::int64_t first, std::int64_t count, std::size_t stored_bytes,
                               std::byte* buffer) const {
  for (std::int64_t row = 0; row < count;) {
    const std::int64_t source = part.row_in_file(first + row);
    std::int64_t run = 1;  // rows that follow each other in the file too
    while (row + run < count && part.row_in_file(first + row + run) == source + run) ++run;
    LLM_RETURN_IF_ERROR(file_.read(entry, static_cast<std::size_t>(source) * stored_bytes,
                                   {buffer + static_cast<std::size_t>(row) * stored_bytes,
                                    static_cast<std::size_t>(run) * stored_bytes}));
    row += run;
  }
  return {};
}

Status WeightLoader::pack(const formats::TensorEntry& entry, const LinearPart& part,
                          const BlockScales& scales, DType dtype, Linear& linear) const {
  const core::TensorView& view = entry.view;
  const kernels::PackedMatrix& matrix = linear.matrix;
  const auto cols = static_cast<std::size_t>(matrix.cols);
  const std::size_t stored_bytes = row_bytes(view.dtype, cols);
  const std::size_t target_bytes = row_bytes(dtype, cols);
  const bool convert = view.dtype != dtype;
  const auto panel_rows = static_cast<std::size_t>(matrix.panel_rows);

  // Per thread: one panel's rows as stored and in the target type, and one in f32 on the way there.
  const auto threads = static_cast<std::size_t>(pool_.size());
  std::vector<std::vector<std::byte>> stored_rows(threads);
  std::vector<std::vector<std::byte>> converted(threads);
  std::vector<std::vector<float>> decoded(threads);
  std::vector<std::vector<const std::byte*>> rows(threads);
  for (std::size_t t = 0; t < threads; ++t) {
    rows[t].resize(panel_rows);
    stored_rows[t].resize(panel_rows * stored_bytes);
    if (convert) {
      converted[t].resize(panel_rows * target_bytes);
      decoded[t].resize(cols);
    }
  }
  std::atomic<std::int64_t> bad_row{-1};
  std::vector<Status> failures(threads);
  pool_.parallel_for(matrix.panels(), [&](std::int64_t panel, int thread) {
    const auto t = static_cast<std::size_t>(thread);
    if (!failures[t].ok()) return;
    const std::int64_t first = panel * matrix.panel_rows;
    const std::int64_t count = std::min<std::int64_t>(matrix.panel_rows, matrix.rows - first);
    failures[t] = read_rows(entry, part, first, count, stored_bytes, stored_rows[t].data());
    if (!failures[t].ok()) return;
    for (std::size_t r = 0; r < panel_rows; ++r) {
      const std::int64_t row = first + static_cast<std::int64_t>(r);
      if (row >= matrix.rows) {
        rows[t][r] = nullptr;
        continue;
      }
      const std::int64_t source = part.row_in_file(row);
      const std::byte* stored = stored_rows[t].data() + r * stored_bytes;
      if (!stored_row_finite(view.dtype, stored, matrix.cols)) bad_row.store(source);
      rows[t][r] = stored;
      if (convert) {
        std::byte* target = converted[t].data() + r * target_bytes;
        quant::decode_row(view.dtype, stored, decoded[t].data(), matrix.cols);
        scales.apply(source, decoded[t].data(), matrix.cols);
        if (view.dtype == DType::f8_e4m3 && !all_finite(decoded[t])) {
          bad_row.store(source);
        }
        quant::encode_row(dtype, decoded[t].data(), target, matrix.cols);
        rows[t][r] = target;
      }
    }
    ops_.pack_panel(dtype, matrix.cols, rows[t].data(),
                    linear.storage.data() + static_cast<std::size_t>(panel) * matrix.panel_bytes);
  });
  for (const Status& failure : failures) LLM_RETURN_IF_ERROR(failure);
  if (bad_row.load() >= 0) {
    return core::corrupt_data("{}: row {}: expected finite numbers, found NaN or infinity",
                              claims_.where(entry.name), bad_row.load());
  }
  return {};
}

Result<LinearGroup> WeightLoader::group(const std::vector<LinearPart>& parts, std::int64_t cols) {
  std::vector<Linear> members;
  members.reserve(parts.size());
  for (const LinearPart& part : parts) {
    LLM_ASSIGN_OR_RETURN(Linear member, linear(part, cols));
    members.push_back(std::move(member));
  }
  return LinearGroup(std::move(members));
}

}  // namespace llm::models
