#include "formats/packed_source.h"

#include <algorithm>

#include "core/hash.h"
#include "core/quote.h"

namespace llm::formats {
namespace {

// Pieces that are read of each file, spread over all of it.
constexpr std::size_t kPieces = 64;
constexpr std::size_t kPieceBytes = 4096;

Result<PackedSource> describe(const core::MappedFile& file) {
  PackedSource source;
  source.name = core::printable(file.path().filename().string(), 1024);
  source.size = file.bytes().size();
  LLM_ASSIGN_OR_RETURN(source.modified_ns, file.reader().modified_ns());
  core::Fnv1a hash;
  std::vector<std::byte> piece(std::min<std::size_t>(kPieceBytes, source.size));
  const std::size_t last = source.size - piece.size();  // where the last piece begins
  for (std::size_t i = 0; i < kPieces; ++i) {
    const std::size_t offset = last / (kPieces - 1) * i + last % (kPieces - 1) * i / (kPieces - 1);
    LLM_RETURN_IF_ERROR(file.reader().read(offset, piece));
    hash.add(piece);
    if (last == 0) break;
  }
  source.sample = hash.value();
  return source;
}

}  // namespace

Result<std::vector<PackedSource>> describe_sources(const ModelFile& model) {
  std::vector<PackedSource> sources;
  for (const core::MappedFile& file : model.files()) {
    LLM_ASSIGN_OR_RETURN(PackedSource source, describe(file));
    sources.push_back(std::move(source));
  }
  if (model.format() != FileFormat::safetensors) return sources;
  LLM_ASSIGN_OR_RETURN(const core::MappedFile config,
                       core::MappedFile::open(model.directory() / "config.json"));
  LLM_ASSIGN_OR_RETURN(PackedSource source, describe(config));
  sources.push_back(std::move(source));
  return sources;
}

}  // namespace llm::formats
