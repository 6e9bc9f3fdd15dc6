#include <algorithm>
#include <map>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/quote.h"
#include "formats/open_model.h"
#include "formats/safetensors_reader.h"

namespace llm::formats {
namespace {

namespace fs = std::filesystem;
using core::corrupt_data;
using core::quote;

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxIndexBytes = kSafetensorsMaxHeaderBytes;

/// tensor name -> file name, as model.safetensors.index.json has it.
using WeightMap = std::map<std::string, std::string>;

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

/// "model-00001-of-00003.safetensors"
bool looks_like_shard(const fs::path& path) {
  const std::string stem = path.stem().string();
  return stem.size() > 15 && stem.substr(stem.size() - 9, 4) == "-of-";
}

/// A relative name that stays below the directory. Links are followed: download caches use them.
bool stays_inside(const std::string& file_name) {
  const fs::path path(file_name);
  if (file_name.empty() || file_name.find('\0') != std::string::npos || path.is_absolute()) {
    return false;
  }
  return std::none_of(path.begin(), path.end(), [](const fs::path& part) {
    return part.empty() || part == "." || part == "..";
  });
}

Result<WeightMap> read_index(const fs::path& path) {
  LLM_ASSIGN_OR_RETURN(const std::string text, core::read_text_file(path, kMaxIndexBytes));
  LLM_ASSIGN_OR_RETURN(const core::Json root, core::parse_json(text, path.string()));
  const auto found = root.is_object() ? root.find("weight_map") : root.end();
  if (found == root.end() || !found->is_object() || found->empty()) {
    return corrupt_data("{}: weight_map: expected an object from tensor name to file name",
                        path.string());
  }
  WeightMap weight_map;
  for (const auto& [tensor, file] : found->items()) {
    if (!file.is_string()) {
      return corrupt_data("{}: weight_map: tensor {}: expected a file name, found {}",
                          path.string(), quote(tensor), file.type_name());
    }
    auto file_name = file.get<std::string>();
    if (!stays_inside(file_name)) {
      return corrupt_data("{}: weight_map: tensor {}: file {} is not inside the model's directory",
                          path.string(), quote(tensor), quote(file_name));
    }
    weight_map.emplace(tensor, std::move(file_name));
  }
  return weight_map;
}

Status add_file(const fs::path& path, ModelContents& contents) {
  LLM_ASSIGN_OR_RETURN(core::MappedFile file, core::MappedFile::open(path));
  LLM_ASSIGN_OR_RETURN(SafetensorsContents parsed, parse_safetensors(file.bytes(), path.string()));
  for (TensorEntry& tensor : parsed.tensors) {
    tensor.file = contents.files.size();
    contents.tensors.push_back(std::move(tensor));
  }
  contents.files.push_back(std::move(file));
  return {};
}

/// Every tensor lies in the one file that the index names for it, and the index has it.
Status check_against_index(const ModelContents& contents, const WeightMap& weight_map,
                           const std::vector<std::string>& file_names, const fs::path& index) {
  std::unordered_map<std::string_view, std::size_t> found_in;
  for (const TensorEntry& tensor : contents.tensors) {
    const std::string& file = file_names[tensor.file];
    const auto [first, inserted] = found_in.emplace(tensor.name, tensor.file);
    if (!inserted) {
      return corrupt_data("{}: tensor {} is in both {} and {}", index.string(), quote(tensor.name),
                          quote(file_names[first->second]), quote(file));
    }
    const auto listed = weight_map.find(tensor.name);
    if (listed == weight_map.end()) {
      return corrupt_data("{}: weight_map: tensor {} of file {} is not listed", index.string(),
                          quote(tensor.name), quote(file));
    }
    if (listed->second != file) {
      return corrupt_data("{}: weight_map: tensor {}: expected it in {}, found it in {}",
                          index.string(), quote(tensor.name), quote(listed->second), quote(file));
    }
  }
  for (const auto& [tensor, file] : weight_map) {
    if (!found_in.contains(tensor)) {
      return corrupt_data("{}: weight_map: tensor {}: expected it in {}, which does not have it",
                          index.string(), quote(tensor), quote(file));
    }
  }
  return {};
}

Status add_shards(const fs::path& directory, const fs::path& index, ModelContents& contents) {
  LLM_ASSIGN_OR_RETURN(const WeightMap weight_map, read_index(index));
  std::vector<std::string> file_names;
  for (const auto& [tensor, file] : weight_map) file_names.push_back(file);
  std::sort(file_names.begin(), file_names.end());
  file_names.erase(std::unique(file_names.begin(), file_names.end()), file_names.end());
  for (const std::string& file : file_names) {
    LLM_RETURN_IF_ERROR(add_file(directory / file, contents));
  }
  return check_against_index(contents, weight_map, file_names, index);
}

Status read_config(const fs::path& path, core::Json& config) {
  LLM_ASSIGN_OR_RETURN(const std::string text, core::read_text_file(path, kMaxConfigBytes));
  LLM_ASSIGN_OR_RETURN(config, core::parse_json(text, path.string()));
  if (!config.is_object()) {
    return corrupt_data("{}: expected a JSON object, found {}", path.string(), config.type_name());
  }
  return {};
}

}  // namespace

Result<ModelContents> open_safetensors(const fs::path& path, bool with_config) {
  ModelContents contents;
  std::error_code error;
  const bool is_directory = fs::is_directory(path, error);
  const fs::path directory = is_directory             ? path
                             : path.has_parent_path() ? path.parent_path()
                                                      : fs::path(".");
  if (!is_directory && path.extension() != ".safetensors") {
    return core::invalid_argument(
        "{}: expected a model directory, a .safetensors file or a .gguf file", path.string());
  }
  if (!is_directory && with_config && looks_like_shard(path) &&
      is_file(directory / "model.safetensors.index.json")) {
    return core::invalid_argument(
        "{}: this is one shard of a model; expected the path of its directory {}", path.string(),
        directory.string());
  }
  const fs::path single = is_directory ? directory / "model.safetensors" : path;
  const fs::path index = directory / "model.safetensors.index.json";
  const bool is_sharded = is_directory && !is_file(single) && is_file(index);
  if (is_directory && !is_sharded && !is_file(single)) {
    return core::not_found(
        "{}: neither model.safetensors nor model.safetensors.index.json is there", path.string());
  }
  // The configuration is read first: it is small, and without it there is no model.
  if (with_config) LLM_RETURN_IF_ERROR(read_config(directory / "config.json", contents.config));
  if (is_sharded) {
    LLM_RETURN_IF_ERROR(add_shards(directory, index, contents));
  } else {
    LLM_RETURN_IF_ERROR(add_file(single, contents));
  }
  return contents;
}

}  // namespace llm::formats
