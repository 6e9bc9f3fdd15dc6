// ModelFile: a model on disk, whatever its format: a tensor directory over mapped bytes, plus the
// metadata that came with it. Opening checks every offset and size, so a TensorView handed out here
// may be read in full. Owns the mappings; views stay valid as long as it lives. Immutable after
// open, so it may be read from any thread.
//
// Accepted paths: a directory with model.safetensors, or model.safetensors.index.json and its
// shards, beside config.json; a single .safetensors file whose directory holds config.json; a .gguf
// file (of a split model: any of its parts).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/json.h"
#include "core/mapped_file.h"
#include "core/tensor_view.h"
#include "formats/gguf_metadata.h"
#include "llm/status.h"

namespace llm::formats {

enum class FileFormat { safetensors, gguf };

/// "safetensors" or "gguf".
std::string_view to_string(FileFormat format);

struct TensorEntry {
  std::string name;
  /// Row-major, outermost dimension first, in both formats (GGUF's ne[] is reversed here).
  core::TensorView view;
  std::size_t file = 0;  ///< index into ModelFile::files()
};

class ModelFile {
 public:
  static Result<ModelFile> open(const std::filesystem::path& path);

  FileFormat format() const { return format_; }
  /// The path that was given to open().
  const std::filesystem::path& path() const { return path_; }
  /// Where companion files (tokenizer.json, generation_config.json) are looked up.
  std::filesystem::path directory() const;

  /// In file order.
  const std::vector<TensorEntry>& tensors() const { return tensors_; }
  /// Null when there is no tensor of that name.
  const TensorEntry* find(std::string_view name) const;
  const std::vector<core::MappedFile>& files() const { return files_; }

  /// GGUF metadata; empty for safetensors.
  const GgufMetadata& gguf() const { return gguf_; }
  /// config.json; an empty object for GGUF.
  const core::Json& config() const { return config_; }
  /// A companion JSON file of a safetensors directory (e.g. "generation_config.json"): its content,
  /// a null value when the file does not exist, an error when it exists and is broken.
  Result<core::Json> companion_json(std::string_view file_name) const;
  /// The same as text, empty when absent.
  Result<std::string> companion_text(std::string_view file_name) const;

  /// Sum of the tensors' bytes.
  std::size_t tensor_bytes() const;

 private:
  friend Status open_safetensors(const std::filesystem::path& path, ModelFile& model);
  friend Status open_gguf(const std::filesystem::path& path, ModelFile& model);

  Status index_tensors();  // builds by_name_; duplicate names are an error

  FileFormat format_ = FileFormat::safetensors;
  std::filesystem::path path_;
  std::vector<core::MappedFile> files_;
  std::vector<TensorEntry> tensors_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  GgufMetadata gguf_;
  core::Json config_ = core::Json::object();
};

}  // namespace llm::formats
