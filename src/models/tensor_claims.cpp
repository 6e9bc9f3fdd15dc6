#include "models/tensor_claims.h"

#include <cmath>

#include "core/error.h"
#include "quant/quant.h"

namespace llm::models {

bool all_finite(std::span<const float> values) {
  bool finite = true;
  for (const float value : values) finite &= std::isfinite(value);
  return finite;
}

TensorClaims::TensorClaims(const formats::ModelFile& file)
    : file_(file), claimed_(file.tensors().size(), false) {}

std::string TensorClaims::where(std::string_view tensor) const {
  return fmt::format("{}: tensor {}", file_.path().string(), tensor);
}

Result<const formats::TensorEntry*> TensorClaims::claim(std::string_view name,
                                                        const core::Shape& shape) {
  const formats::TensorEntry* entry = file_.find(name);
  if (entry == nullptr) {
    return core::corrupt_data("{} is missing, expected shape {}", where(name), shape.to_string());
  }
  if (!(entry->view.shape == shape)) {
    return core::corrupt_data("{}: expected shape {}, found {}", where(name), shape.to_string(),
                              entry->view.shape.to_string());
  }
  if (!quant::can_decode(entry->view.dtype)) {
    return core::unsupported("{}: weights of type {} are not supported", where(name),
                             to_string(entry->view.dtype));
  }
  const auto index = static_cast<std::size_t>(entry - file_.tensors().data());
  if (!claimed_[index]) bytes_ += entry->view.bytes;
  claimed_[index] = true;
  return entry;
}

void TensorClaims::ignore(std::string_view name) {
  if (const formats::TensorEntry* entry = file_.find(name)) {
    claimed_[static_cast<std::size_t>(entry - file_.tensors().data())] = true;
  }
}

Result<std::vector<float>> TensorClaims::values(std::string_view name, const core::Shape& shape) {
  LLM_ASSIGN_OR_RETURN(const formats::TensorEntry* entry, claim(name, shape));
  if (is_block_quantized(entry->view.dtype)) {
    return core::unsupported("{}: expected a float type, found {}", where(name),
                             to_string(entry->view.dtype));
  }
  const std::int64_t count = shape.elements().value_or(0);
  std::vector<std::byte> stored(entry->view.bytes);
  LLM_RETURN_IF_ERROR(file_.read(*entry, 0, stored));
  std::vector<float> values(static_cast<std::size_t>(count));
  quant::decode_row(entry->view.dtype, stored.data(), values.data(), count);
  if (!all_finite(values)) {
    return core::corrupt_data("{}: expected finite numbers, found NaN or infinity", where(name));
  }
  return values;
}

Result<BlockScales> TensorClaims::scales(const formats::TensorEntry& matrix, ScaleBlock block) {
  BlockScales scales;
  if (matrix.view.dtype != DType::f8_e4m3 || block.rows == 0) return scales;
  const std::int64_t rows = matrix.view.shape[0];
  const std::int64_t cols = matrix.view.shape[1];
  scales.block = block;
  scales.blocks_per_row = (cols + block.cols - 1) / block.cols;
  const std::int64_t row_blocks = (rows + block.rows - 1) / block.rows;
  LLM_ASSIGN_OR_RETURN(scales.values,
                       values(matrix.name + "_scale_inv", {row_blocks, scales.blocks_per_row}));
  return scales;
}

Status TensorClaims::finish(std::span<const std::string_view> ignored_prefixes,
                            std::span<const std::string_view> ignored_suffixes) const {
  for (std::size_t i = 0; i < claimed_.size(); ++i) {
    const std::string& name = file_.tensors()[i].name;
    if (claimed_[i]) continue;
    bool ignored = false;
    for (const std::string_view prefix : ignored_prefixes) ignored |= name.starts_with(prefix);
    for (const std::string_view suffix : ignored_suffixes) ignored |= name.ends_with(suffix);
    if (!ignored) {
      return core::corrupt_data(
          "{}: unexpected tensor, shape {}: this architecture has no place "
          "for it",
          where(name), file_.tensors()[i].view.shape.to_string());
    }
  }
  return {};
}

}  // namespace llm::models
