#include "formats/model_file.h"

#include <cstring>
#include <system_error>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "formats/gguf_reader.h"
#include "formats/open_model.h"

namespace llm::formats {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxCompanionBytes = std::size_t{256} << 20;

/// True when the file starts with GGUF's magic, whatever it is called.
bool has_gguf_magic(const fs::path& path) {
  const auto file = core::MappedFile::open(path);
  if (!file || file->bytes().size() < kGgufMagic.size()) return false;
  return std::string_view(reinterpret_cast<const char*>(file->bytes().data()), kGgufMagic.size()) ==
         kGgufMagic;
}

}  // namespace

std::string_view to_string(FileFormat format) {
  return format == FileFormat::gguf ? "gguf" : "safetensors";
}

ModelFile::ModelFile(FileFormat format, fs::path path, ModelContents contents)
    : format_(format), path_(std::move(path)), contents_(std::move(contents)) {
  by_name_.reserve(contents_.tensors.size());
  for (std::size_t t = 0; t < contents_.tensors.size(); ++t) {
    by_name_.emplace(contents_.tensors[t].name, t);
  }
}

Result<ModelFile> ModelFile::open(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    return core::not_found("{}: no such file or directory", path.string());
  }
  if (error) return core::io_error("{}: {}", path.string(), error.message());
  if (!fs::is_directory(status) && (path.extension() == ".gguf" || has_gguf_magic(path))) {
    LLM_ASSIGN_OR_RETURN(ModelContents contents, open_gguf(path));
    return ModelFile(FileFormat::gguf, path, std::move(contents));
  }
  LLM_ASSIGN_OR_RETURN(ModelContents contents, open_safetensors(path, true));
  return ModelFile(FileFormat::safetensors, path, std::move(contents));
}

Result<ModelFile> ModelFile::open_tensors(const fs::path& path) {
  LLM_ASSIGN_OR_RETURN(ModelContents contents, open_safetensors(path, false));
  return ModelFile(FileFormat::safetensors, path, std::move(contents));
}

ModelFile ModelFile::planned_gguf(const fs::path& path, GgufMetadata metadata,
                                  std::vector<TensorEntry> tensors) {
  ModelContents contents;
  contents.gguf = std::move(metadata);
  contents.tensors = std::move(tensors);
  return ModelFile(FileFormat::gguf, path, std::move(contents));
}

fs::path ModelFile::directory() const {
  std::error_code error;
  if (fs::is_directory(path_, error)) return path_;
  return path_.has_parent_path() ? path_.parent_path() : fs::path(".");
}

const TensorEntry* ModelFile::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &contents_.tensors[found->second];
}

Result<std::string> ModelFile::companion_text(std::string_view file_name) const {
  if (format_ == FileFormat::gguf) return std::string();
  auto text = core::read_text_file(directory() / file_name, kMaxCompanionBytes);
  if (!text && text.error().code() == StatusCode::not_found) return std::string();
  return text;
}

Result<core::Json> ModelFile::companion_json(std::string_view file_name) const {
  if (format_ == FileFormat::gguf) return core::Json();
  const fs::path path = directory() / file_name;
  auto text = core::read_text_file(path, kMaxCompanionBytes);
  if (!text) {
    if (text.error().code() == StatusCode::not_found) return core::Json();
    return text.error();
  }
  return core::parse_json(*text, path.string());
}

Status ModelFile::read(const TensorEntry& tensor, std::size_t offset,
                       std::span<std::byte> target) const {
  LLM_CHECK(offset <= tensor.view.bytes && target.size() <= tensor.view.bytes - offset);
  if (contents_.files.empty()) {  // planned, not on disk
    std::memcpy(target.data(), tensor.view.data + offset, target.size());
    return {};
  }
  const core::MappedFile& file = contents_.files[tensor.file];
  const auto begin = static_cast<std::size_t>(tensor.view.data - file.bytes().data());
  return file.reader().read(begin + offset, target);
}

std::size_t ModelFile::tensor_bytes() const {
  std::size_t bytes = 0;
  for (const TensorEntry& tensor : contents_.tensors) bytes += tensor.view.bytes;
  return bytes;
}

}  // namespace llm::formats
