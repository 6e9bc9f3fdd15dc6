// PackedWeights: the weights of a model as its kernels want them, in a file (LoadOptions::
// packed_cache). Either the file is there and holds just what is expected: then matrices are mapped
// from it. Or it is written while a model is loaded, one matrix after the other, and gets its name
// when all of it is there. One thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "formats/model_file.h"
#include "formats/output_file.h"
#include "formats/packed_header.h"
#include "kernels/kernels.h"

namespace llm::models {

struct ModelTypes;

/// The file that `option` stands for: itself, or, where that is a directory, one in it that is
/// named after model, type and kernels.
std::filesystem::path packed_cache_path(const std::string& option, const formats::ModelFile& model,
                                        const ModelTypes& types, const kernels::Ops& ops);

class PackedWeights {
 public:
  /// `matrices`: those of the model in the order in which it is loaded, not placed yet. A file of
  /// packed weights that does not fit is logged and written anew; any other file stays as it is,
  /// and that is an error.
  static Result<PackedWeights> open(const std::filesystem::path& path,
                                    const formats::ModelFile& model, const ModelTypes& types,
                                    const kernels::Ops& ops,
                                    std::vector<formats::PackedMatrixEntry> matrices);

  /// True: take() gives the matrices. False: add() wants them.
  bool mapped() const { return mapping_ != nullptr; }

  /// The next matrix, brought into memory; 64-byte aligned, valid as long as the mapping. It must
  /// be the one that `wanted` describes.
  Result<const std::byte*> take(const formats::PackedMatrixEntry& wanted);
  /// Appends the next matrix.
  Status add(const formats::PackedMatrixEntry& entry, std::span<const std::byte> panels);
  /// Call once all matrices have been taken or added. The mapping, which must live as long as what
  /// was taken; null when the file was written.
  Result<std::unique_ptr<const core::MappedFile>> finish();

 private:
  PackedWeights(formats::PackedHeader header, std::filesystem::path path)
      : header_(std::move(header)), path_(std::move(path)) {}

  Status begin_writing();
  /// The place of the next matrix, which must be like `wanted`.
  Result<const formats::PackedMatrixEntry*> next(const formats::PackedMatrixEntry& wanted);

  formats::PackedHeader header_;
  std::filesystem::path path_;
  std::unique_ptr<const core::MappedFile> mapping_;
  std::size_t data_begin_ = 0;               // in the mapping
  std::optional<formats::OutputFile> file_;  // what is written
  std::size_t written_ = 0;                  // bytes of matrices
  std::size_t next_ = 0;                     // matrix
};

}  // namespace llm::models
