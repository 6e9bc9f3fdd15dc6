#include <charconv>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/quote.h"
#include "formats/gguf_reader.h"
#include "formats/open_model.h"

namespace llm::formats {
namespace {

namespace fs = std::filesystem;
using core::corrupt_data;
using core::quote;

/// "prefix-00002-of-00003.gguf" taken apart.
struct PartName {
  std::string prefix;
  std::int64_t number = 0;  // from 1
  std::int64_t count = 0;
};

std::optional<std::int64_t> five_digits(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::optional<PartName> parse_part_name(const std::string& file_name) {
  // -NNNNN-of-NNNNN.gguf
  constexpr std::size_t kSuffix = 1 + 5 + 4 + 5 + 5;
  if (file_name.size() < kSuffix) return std::nullopt;
  const std::string_view suffix = std::string_view(file_name).substr(file_name.size() - kSuffix);
  if (suffix[0] != '-' || suffix.substr(6, 4) != "-of-" || suffix.substr(15) != ".gguf") {
    return std::nullopt;
  }
  const auto number = five_digits(suffix.substr(1, 5));
  const auto count = five_digits(suffix.substr(10, 5));
  if (!number || !count) return std::nullopt;
  return PartName{file_name.substr(0, file_name.size() - kSuffix), *number, *count};
}

std::string part_name(const std::string& prefix, std::int64_t number, std::int64_t count) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", prefix, number, count);
}

/// A split.* key, or `absent` when it is not there.
Result<std::int64_t> split_key(const GgufMetadata& metadata, std::string_view key,
                               std::int64_t absent, std::string_view what) {
  auto value = metadata.get_int(key);
  if (!value) return value.error().with_prefix(what);
  return value->value_or(absent);
}

struct OpenFile {
  core::MappedFile file;
  GgufContents contents;
};

Result<OpenFile> open_one(const fs::path& path) {
  LLM_ASSIGN_OR_RETURN(core::MappedFile file, core::MappedFile::open(path));
  LLM_ASSIGN_OR_RETURN(GgufContents contents, parse_gguf(file.bytes(), path.string()));
  return OpenFile{std::move(file), std::move(contents)};
}

void add(OpenFile part, ModelContents& model) {
  for (TensorEntry& tensor : part.contents.tensors) {
    tensor.file = model.files.size();
    model.tensors.push_back(std::move(tensor));
  }
  if (model.files.empty()) model.gguf = std::move(part.contents.metadata);
  model.files.push_back(std::move(part.file));
}

Status check_part(const OpenFile& part, std::int64_t number, std::int64_t count,
                  std::string_view what) {
  LLM_ASSIGN_OR_RETURN(const std::int64_t stored_index,
                       split_key(part.contents.metadata, "split.no", -1, what));
  LLM_ASSIGN_OR_RETURN(const std::int64_t stored_count,
                       split_key(part.contents.metadata, "split.count", count, what));
  if (stored_index != number - 1) {
    return corrupt_data("{}: metadata key \"split.no\": expected {}, found {}", what, number - 1,
                        stored_index < 0 ? std::string("none") : std::to_string(stored_index));
  }
  if (stored_count != count) {
    return corrupt_data("{}: metadata key \"split.count\": expected {}, found {}", what, count,
                        stored_count);
  }
  return {};
}

Status check_whole(const ModelContents& model, std::string_view what) {
  std::unordered_map<std::string_view, std::size_t> found_in;
  for (const TensorEntry& tensor : model.tensors) {
    const auto [first, inserted] = found_in.emplace(tensor.name, tensor.file);
    if (!inserted) {
      return corrupt_data("{}: tensor {} is also in {}", model.files[tensor.file].path().string(),
                          quote(tensor.name), model.files[first->second].path().string());
    }
  }
  const auto tensors = static_cast<std::int64_t>(model.tensors.size());
  LLM_ASSIGN_OR_RETURN(const std::int64_t expected,
                       split_key(model.gguf, "split.tensors.count", tensors, what));
  if (expected != tensors) {
    return corrupt_data(
        "{}: metadata key \"split.tensors.count\" is {}, but the parts have {} tensors", what,
        expected, tensors);
  }
  return {};
}

}  // namespace

Result<ModelContents> open_gguf(const fs::path& path) {
  const std::string what = path.string();
  LLM_ASSIGN_OR_RETURN(OpenFile given, open_one(path));
  LLM_ASSIGN_OR_RETURN(const std::int64_t count,
                       split_key(given.contents.metadata, "split.count", 1, what));
  ModelContents model;
  if (count <= 1) {
    add(std::move(given), model);
    return model;
  }
  const auto name = parse_part_name(path.filename().string());
  if (!name || name->count != count || name->number < 1 || name->number > count) {
    return corrupt_data("{}: this is a part of a model in {} parts; expected a file name like {}",
                        what, count, part_name("name", 1, count));
  }
  for (std::int64_t number = 1; number <= count; ++number) {
    const fs::path part_path = path.parent_path() / part_name(name->prefix, number, count);
    if (number == name->number) {
      LLM_RETURN_IF_ERROR(check_part(given, number, count, what));
      add(std::move(given), model);
      continue;
    }
    auto part = open_one(part_path);
    if (!part && part.error().code() == StatusCode::not_found) {
      return core::not_found("{}: part {} of {} of this model is missing", part_path.string(),
                             number, count);
    }
    if (!part) return part.error();
    LLM_RETURN_IF_ERROR(check_part(*part, number, count, part_path.string()));
    add(std::move(*part), model);
  }
  LLM_RETURN_IF_ERROR(check_whole(model, what));
  return model;
}

}  // namespace llm::formats
