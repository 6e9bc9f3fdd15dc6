// WeightLoader: takes tensors out of a ModelFile, checks them against what the model expects, and
// prepares them for a backend. One thread; packing is spread over the pool.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/thread_pool.h"
#include "formats/model_file.h"
#include "kernels/kernels.h"
#include "models/linear.h"
#include "models/tensor_claims.h"

namespace llm::models {

/// plan: everything is checked and sized, but the matrices are not filled.
enum class LoadMode : std::uint8_t { read, plan };

/// The name of a weight's bias: ".bias" in place of ".weight".
std::string bias_name(std::string_view weight);

enum class BiasRule : std::uint8_t { none, optional, required };

/// Which rows of a stored matrix make up a part of it: blocks of `block` rows, one every `period`
/// rows, from row `offset` on. block 0: one block of all the part's rows.
struct RowBlocks {
  std::int64_t offset = 0;
  std::int64_t block = 0;
  std::int64_t period = 0;
};

/// One matrix of a LinearGroup as it stands in the file.
struct LinearPart {
  std::string name;  ///< of the weight; the bias has ".bias" for ".weight"
  std::int64_t rows = 0;
  BiasRule bias = BiasRule::none;
  /// > 0: rows come in heads of this many, stored for interleaved rotary pairs (2i, 2i+1); they are
  /// put in the order of halves (i, i + d/2) here.
  std::int64_t interleaved_head_dim = 0;
  std::int64_t interleaved_first = 0;  ///< only the rows of a head from this one on are so stored
  std::int64_t stored_rows = 0;  ///< of the whole matrix, where this is a part of it; 0: `rows`
  RowBlocks blocks = {};
  std::int64_t stored_matrices = 0;  ///< > 0: the tensor stacks so many matrices of stored_rows
  bool stored_flat = false;          ///< the tensor is a vector: one row
  bool keep_f32 = false;             ///< whatever the model's type is
};

class WeightLoader {
 public:
  /// `target`: type that matrices are converted to; absent: each keeps the type it is stored in.
  /// All references must outlive the loader.
  WeightLoader(const formats::ModelFile& file, std::optional<DType> target, const kernels::Ops& ops,
               core::ThreadPool& pool, LoadMode mode = LoadMode::read);

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

 private:
  /// A matrix with room for its packed weights, not filled.
  Result<Linear> allocate(DType dtype, std::int64_t rows, std::int64_t cols) const;
  Result<const formats::TensorEntry*> claim_part(const LinearPart& part, std::int64_t cols);
  Status pack(const formats::TensorEntry& entry, const LinearPart& part, const BlockScales& scales,
              DType dtype, Linear& linear) const;
  Result<std::vector<float>> bias(const LinearPart& part);
  Result<std::vector<float>> values(std::string_view name, const core::Shape& shape);

  const formats::ModelFile& file_;
  std::optional<DType> target_;
  const kernels::Ops& ops_;
  core::ThreadPool& pool_;
  LoadMode mode_;
  ScaleBlock scale_block_;
  TensorClaims claims_;
  std::uint64_t parameters_ = 0;
};

}  // namespace llm::models
