// TensorFileWriter: writes a safetensors or GGUF file in one pass. All tensors are declared first
// (names, types and shapes make up the header); then their bytes are written in the declared order,
// in pieces of any size, so a model larger than memory can be converted. The file appears under its
// name only after finish(). Move-only, one thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/shape.h"
#include "formats/gguf_metadata.h"
#include "formats/output_file.h"
#include "llm/dtype.h"
#include "llm/status.h"

namespace llm::formats {

struct TensorDeclaration {
  std::string name;
  DType dtype = DType::f32;
  core::Shape shape;  ///< outermost dimension first, for GGUF too
};

class TensorFileWriter {
 public:
  /// Invalid arguments: a duplicate or reserved name, a type or shape the format cannot hold.
  static Result<TensorFileWriter> create_safetensors(
      const std::filesystem::path& path, const std::vector<TensorDeclaration>& tensors,
      const std::map<std::string, std::string>& metadata);
  /// GGUF version 3. Values are written with their stored_type(); the alignment is that of
  /// "general.alignment" if `metadata` has it, else 32.
  static Result<TensorFileWriter> create_gguf(const std::filesystem::path& path,
                                              const std::vector<TensorDeclaration>& tensors,
                                              const GgufMetadata& metadata);

  /// The next bytes of tensor `name`. Out of order, or more than its type and shape need, is an
  /// internal error.
  Status write(std::string_view name, std::span<const std::byte> bytes);
  /// Fails when bytes are missing.
  Status finish();

 private:
  struct Slot {
    std::string name;
    std::size_t bytes = 0;
    std::size_t padding = 0;  // zeros behind it
  };

  TensorFileWriter(OutputFile file, std::vector<Slot> slots);
  static Result<TensorFileWriter> create(const std::filesystem::path& path, std::string_view header,
                                         std::vector<Slot> slots);
  static Result<std::vector<Slot>> make_slots(const std::filesystem::path& path,
                                              const std::vector<TensorDeclaration>& tensors,
                                              std::size_t alignment);

  Status pass_full_slots();

  OutputFile file_;
  std::vector<Slot> slots_;
  std::size_t current_ = 0;  // index of the tensor being written
  std::size_t written_ = 0;  // bytes of it
};

}  // namespace llm::formats
