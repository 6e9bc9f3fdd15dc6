// WeightLoader: takes tensors out of a ModelFile, checks them against what the model expects, and
// prepares them for a backend, or takes them prepared from a file of packed weights. One thread;
// packing is spread over the pool.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/function_ref.h"
#include "core/thread_pool.h"
#include "formats/model_file.h"
#include "kernels/kernels.h"
#include "models/linear.h"
#include "models/linear_part.h"
#include "models/packed_weights.h"
#include "models/tensor_claims.h"

namespace llm::models {

/// plan: everything is checked and sized, but the matrices get no memory.
enum class LoadMode : std::uint8_t { read, plan };

class WeightLoader {
 public:
  /// `target`: type that matrices are converted to; absent: each keeps the type it is stored in.
  /// `packed`, when not null, has the matrices or wants them. All references must outlive the
  /// loader.
  WeightLoader(const formats::ModelFile& file, std::optional<DType> target, const kernels::Ops& ops,
               core::ThreadPool& pool, LoadMode mode = LoadMode::read,
               PackedWeights* packed = nullptr);

  /// Weights of 8-bit floats have a factor per block of that size, in "<name>_scale_inv".
  void expect_scales(ScaleBlock block) { scale_block_ = block; }

  /// What has been taken so far.
  TensorClaims& claims() { return claims_; }

  /// A vector of `size` values (norm weights, biases) as f32.
  Result<std::vector<float>> vector(std::string_view name, std::int64_t size);
  /// Small rows of values as f32, (rows, cols).
  Result<std::vector<float>> matrix(std::string_view name, std::int64_t rows, std::int64_t cols);
  Result<Linear> linear(const LinearPart& part, std::int64_t cols);
  /// The transpose of a part: (cols, part.rows), in the model's type, or f32 where it has none.
  Result<Linear> transposed(const LinearPart& part, std::int64_t cols);
  Result<LinearGroup> group(const std::vector<LinearPart>& parts, std::int64_t cols);

  std::uint64_t parameters() const { return parameters_; }
  /// The matrices in the order in which they were loaded or planned, not placed in a file.
  std::vector<formats::PackedMatrixEntry> take_matrices() { return std::move(matrices_); }

 private:
  /// A matrix of that name, `fill`ed with its packed weights (in a plan not), or with those that
  /// were packed before.
  Result<Linear> make(std::string name, DType dtype, std::int64_t rows, std::int64_t cols,
                      core::FunctionRef<Status(Linear&)> fill);
  Status fill_transposed(const formats::TensorEntry& entry, const LinearPart& part,
                         const BlockScales& scales, Linear& linear) const;
  /// Rows of a part as stored, one after the other. `buffer`: (count, stored_bytes).
  Status read_rows(const formats::TensorEntry& entry, const LinearPart& part, std::int64_t first,
                   std::int64_t count, std::size_t stored_bytes, std::byte* buffer) const;
  Status pack(const formats::TensorEntry& entry, const LinearPart& part, const BlockScales& scales,
              DType dtype, Linear& linear) const;
  Result<std::vector<float>> bias(const LinearPart& part);
  Result<std::vector<float>> values(std::string_view name, const core::Shape& shape);

  const formats::ModelFile& file_;
  std::optional<DType> target_;
  const kernels::Ops& ops_;
  core::ThreadPool& pool_;
  LoadMode mode_;
  PackedWeights* packed_;
  ScaleBlock scale_block_;
  TensorClaims claims_;
  std::vector<formats::PackedMatrixEntry> matrices_;
  std::uint64_t parameters_ = 0;
};

}  // namespace llm::models
