#include "models/packed_weights.h"

#include <set>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "formats/packed_source.h"
#include "models/load.h"
#include "models/panel_layout.h"

namespace llm::models {
namespace {

namespace fs = std::filesystem;
using formats::PackedMatrixEntry;

// Type that matrices are converted to.
std::string target_name(const ModelTypes& types) {
  return types.weights ? std::string(to_string(*types.weights)) : "stored";
}

Result<formats::PackedHeader> describe(const formats::ModelFile& model, const ModelTypes& types,
                                       const kernels::Ops& ops,
                                       std::vector<PackedMatrixEntry> matrices) {
  formats::PackedHeader header;
  header.instruction_set = ops.name;
  std::set<DType> dtypes;
  for (const PackedMatrixEntry& matrix : matrices) dtypes.insert(matrix.dtype);
  header.layout = panel_layout(ops, dtypes);
  header.dtype = target_name(types);
  LLM_ASSIGN_OR_RETURN(header.sources, formats::describe_sources(model));
  formats::place_matrices(matrices);
  header.matrices = std::move(matrices);
  return header;
}

}  // namespace

fs::path packed_cache_path(const std::string& option, const formats::ModelFile& model,
                           const ModelTypes& types, const kernels::Ops& ops) {
  std::error_code error;
  if (!fs::is_directory(option, error)) return option;
  fs::path path = model.path();
  if (!path.has_filename()) path = path.parent_path();  // "models/demo/"
  return fs::path(option) /
         fmt::format("{}-{}-{}.packed", path.filename().string(), target_name(types), ops.name);
}

Result<PackedWeights> PackedWeights::open(const fs::path& path, const formats::ModelFile& model,
                                          const ModelTypes& types, const kernels::Ops& ops,
                                          std::vector<PackedMatrixEntry> matrices) {
  LLM_ASSIGN_OR_RETURN(formats::PackedHeader header,
                       describe(model, types, ops, std::move(matrices)));
  PackedWeights packed(std::move(header), path);
  auto file = core::MappedFile::open(path);
  if (!file) {
    if (file.error().code() != StatusCode::not_found) {
      return file.error().with_prefix("packed weights");
    }
    LLM_RETURN_IF_ERROR(packed.begin_writing());
    return packed;
  }
  const std::string place = path.string();
  if (!formats::starts_as_packed_file(file->bytes())) {
    return core::invalid_argument(
        "packed weights: {}: expected a file of packed weights or none, found another file, which "
        "is not overwritten",
        place);
  }
  const auto parsed = formats::parse_packed_header(file->bytes(), place);
  const Status fits = parsed
                          ? formats::compare_packed_headers(parsed->header, packed.header_, place)
                          : parsed.error();
  if (fits.ok()) {
    packed.data_begin_ = parsed->data_begin;
    packed.mapping_ = std::make_unique<const core::MappedFile>(std::move(*file));
    return packed;
  }
  core::log(core::LogLevel::warning, "packed weights are written anew: {}", fits.message());
  LLM_RETURN_IF_ERROR(packed.begin_writing());
  return packed;
}

Status PackedWeights::begin_writing() {
  LLM_ASSIGN_OR_RETURN(const std::string text, formats::encode_packed_header(header_));
  auto file = formats::OutputFile::create(path_);
  if (!file) return file.error().with_prefix("packed weights");
  file_ = std::move(*file);
  return file_->write(std::as_bytes(std::span(text))).with_prefix("packed weights");
}

Result<const PackedMatrixEntry*> PackedWeights::next(const PackedMatrixEntry& wanted) {
  if (next_ < header_.matrices.size()) {
    const PackedMatrixEntry& entry = header_.matrices[next_];
    PackedMatrixEntry placed = wanted;
    placed.offset = entry.offset;
    placed.bytes = entry.bytes;
    if (placed == entry) {
      ++next_;
      return &entry;
    }
  }
  return core::internal_error("packed weights: matrix {} ({}) was not planned", next_, wanted.name);
}

Result<const std::byte*> PackedWeights::take(const PackedMatrixEntry& wanted) {
  LLM_ASSIGN_OR_RETURN(const PackedMatrixEntry* entry, next(wanted));
  const auto panels = mapping_->bytes().subspan(data_begin_ + entry->offset, entry->bytes);
  LLM_RETURN_IF_ERROR(mapping_->load_pages(panels));
  return panels.data();
}

Status PackedWeights::add(const PackedMatrixEntry& entry, std::span<const std::byte> panels) {
  static constexpr std::byte kZeros[formats::kPackedAlignment] = {};
  LLM_ASSIGN_OR_RETURN(const PackedMatrixEntry* place, next(entry));
  const auto gap = std::span(kZeros).first(place->offset - written_);
  Status status = file_->write(gap);
  if (status.ok()) status = file_->write(panels);
  written_ = place->offset + place->bytes;
  return status.with_prefix("packed weights");
}

Result<std::unique_ptr<const core::MappedFile>> PackedWeights::finish() {
  if (next_ != header_.matrices.size()) {
    return core::internal_error("packed weights: {} of {} matrices", next_,
                                header_.matrices.size());
  }
  if (mapped()) {
    core::log(core::LogLevel::info, "packed weights: mapped {} ({} bytes)", path_.string(),
              mapping_->bytes().size());
    return std::move(mapping_);
  }
  LLM_RETURN_IF_ERROR(file_->commit().with_prefix("packed weights"));
  core::log(core::LogLevel::info, "packed weights: wrote {} ({} bytes)", path_.string(), written_);
  return std::unique_ptr<const core::MappedFile>();
}

}  // namespace llm::models
