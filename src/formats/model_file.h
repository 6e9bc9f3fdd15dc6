// ModelFile: a model on disk, whatever its format: a tensor directory over mapped bytes, plus the
// metadata that came with it. Opening checks every offset and size, so a TensorView handed out here
// may be read in full; the values themselves (NaN and the like) are not looked at. Owns the
// mappings; views stay valid as long as it lives. Immutable after open, so it may be read from any
// thread.
//
// Accepted paths: a directory with model.safetensors, or model.safetensors.index.json and its
// shards, beside config.json; a single .safetensors file whose directory holds config.json; a .gguf
// file (of a split model: any of its parts).
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/json.h"
#include "core/mapped_file.h"
#include "formats/gguf_metadata.h"
#include "formats/tensor_entry.h"
#include "llm/status.h"

namespace llm::formats {

enum class FileFormat { safetensors, gguf };

/// "safetensors" or "gguf".
std::string_view to_string(FileFormat format);

/// What one of the openers found on disk.
struct ModelContents {
  std::vector<core::MappedFile> files;
  std::vector<TensorEntry> tensors;  // in file order, names unique
  GgufMetadata gguf;
  core::Json config = core::Json::object();
};

class ModelFile {
 public:
  static Result<ModelFile> open(const std::filesystem::path& path);
  /// Opens one .safetensors file for its tensors alone: no config.json is looked for.
  static Result<ModelFile> open_tensors(const std::filesystem::path& path);
  /// A GGUF file that is yet to be written, for reading its configuration back: the views need
  /// bytes only where they are looked at.
  static ModelFile planned_gguf(const std::filesystem::path& path, GgufMetadata metadata,
                                std::vector<TensorEntry> tensors);

  FileFormat format() const { return format_; }
  /// The path that was given to open().
  const std::filesystem::path& path() const { return path_; }
  /// Where companion files (tokenizer.json, generation_config.json) are looked up.
  std::filesystem::path directory() const;

  /// In file order.
  const std::vector<TensorEntry>& tensors() const { return contents_.tensors; }
  /// Null when there is no tensor of that name.
  const TensorEntry* find(std::string_view name) const;
  const std::vector<core::MappedFile>& files() const { return contents_.files; }

  /// GGUF metadata; empty for safetensors.
  const GgufMetadata& gguf() const { return contents_.gguf; }
  /// config.json; an empty object for GGUF.
  const core::Json& config() const { return contents_.config; }
  /// A companion JSON file of a safetensors directory (e.g. "generation_config.json"): its content,
  /// a null value when the file does not exist (or the model is a GGUF file, which carries all it
  /// needs), an error when it exists and is broken. `file_name` is a plain name.
  Result<core::Json> companion_json(std::string_view file_name) const;
  /// The same as text, empty when absent.
  Result<std::string> companion_text(std::string_view file_name) const;

  /// Copies bytes of a tensor, from `offset` within it on. The file is read, not its mapping: when
  /// it was cut since it was opened, that is an io_error instead of the end of the process.
  Status read(const TensorEntry& tensor, std::size_t offset, std::span<std::byte> target) const;

  /// Sum of the tensors' bytes.
  std::size_t tensor_bytes() const;

 private:
  ModelFile(FileFormat format, std::filesystem::path path, ModelContents contents);

  FileFormat format_;
  std::filesystem::path path_;
  ModelContents contents_;
  std::unordered_map<std::string_view, std::size_t> by_name_;  // views of the names in contents_
};

}  // namespace llm::formats
