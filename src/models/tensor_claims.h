// TensorClaims: which tensors of a file have a place in the model. Every tensor must be claimed or
// be on the ignore list: a missing, misshapen or unclaimed one is an error that names it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/model_file.h"
#include "llm/status.h"
#include "models/block_scales.h"

namespace llm::models {

class TensorClaims {
 public:
  /// `file` must outlive the claims and every entry handed out.
  explicit TensorClaims(const formats::ModelFile& file);

  /// The tensor of that name, which must exist with that shape and hold numbers. May be claimed
  /// again.
  Result<const formats::TensorEntry*> claim(std::string_view name, const core::Shape& shape);
  /// Marks a tensor as accounted for, if it exists.
  void ignore(std::string_view name);

  /// Claims a small tensor of floats: its values, which must be finite.
  Result<std::vector<float>> values(std::string_view name, const core::Shape& shape);
  /// Claims the factors of a matrix of 8-bit floats, which are in "<name>_scale_inv"; none (every
  /// factor is 1) for a matrix of another type, or when `block` is empty.
  Result<BlockScales> scales(const formats::TensorEntry& matrix, ScaleBlock block);

  /// ok when every tensor was claimed, ignored, or has one of these beginnings or endings.
  Status finish(std::span<const std::string_view> ignored_prefixes,
                std::span<const std::string_view> ignored_suffixes) const;

  /// Stored bytes of the tensors claimed so far.
  std::uint64_t bytes() const { return bytes_; }
  /// "file: tensor name", for errors.
  std::string where(std::string_view tensor) const;

 private:
  const formats::ModelFile& file_;
  std::vector<bool> claimed_;
  std::uint64_t bytes_ = 0;
};

/// True when none of the values is an infinity or NaN.
bool all_finite(std::span<const float> values);

}  // namespace llm::models
