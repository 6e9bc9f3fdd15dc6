// The header of a file of packed weights: of which model files it was made, for which kernels, and
// where each matrix lies. Everything in it is checked before it is used.
//
//   8 bytes  kPackedMagic
//   u64      kPackedVersion
//   u64      length of the JSON text, at most kPackedMaxJsonBytes
//   ...      JSON text, then zeros up to a multiple of kPackedAlignment
//   ...      the matrices in order, each at a multiple of kPackedAlignment; zeros between them
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llm/dtype.h"
#include "llm/status.h"

namespace llm::formats {

inline constexpr std::string_view kPackedMagic = "LLMPACK\n";
/// Raise it when this format changes, or what is packed of the same tensors (another conversion or
/// order of rows). The layout of panels needs no number: PackedHeader::layout is computed from it.
inline constexpr std::uint64_t kPackedVersion = 1;
inline constexpr std::size_t kPackedAlignment = 4096;
inline constexpr std::size_t kPackedMaxJsonBytes = 100'000'000;

/// A file that weights were made of. `sample` is a fingerprint of some of its bytes.
struct PackedSource {
  std::string name;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  std::uint64_t sample = 0;

  friend bool operator==(const PackedSource&, const PackedSource&) = default;
};

/// One matrix: panels of `panel_rows` rows, `panel_bytes` each.
struct PackedMatrixEntry {
  std::string name;  ///< of the tensor, and which part of it
  DType dtype = DType::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t panel_rows = 1;
  std::size_t panel_bytes = 0;
  std::size_t offset = 0;  ///< from the beginning of the matrices, which is at data_begin
  std::size_t bytes = 0;

  friend bool operator==(const PackedMatrixEntry&, const PackedMatrixEntry&) = default;
};

struct PackedHeader {
  std::string instruction_set;
  std::uint64_t layout = 0;  ///< fingerprint of how panels of these types are laid out
  std::string dtype;         ///< that weights were converted to; "stored": each keeps its own
  std::vector<PackedSource> sources;
  std::vector<PackedMatrixEntry> matrices;  ///< in the order in which a model is loaded
};

/// A header as it was read.
struct PackedFile {
  PackedHeader header;
  std::size_t data_begin = 0;
};

/// Sets `offset` and `bytes` of each matrix. Sizes must be those of matrices in memory.
void place_matrices(std::vector<PackedMatrixEntry>& matrices);

/// The beginning of a file with that header, up to the matrices.
Result<std::string> encode_packed_header(const PackedHeader& header);

/// True when the bytes begin as such a file does, of whatever version, or end before that shows.
bool starts_as_packed_file(std::span<const std::byte> bytes);

/// Reads the header of a whole file. The matrices lie inside the file, in order, and fill it.
/// Errors begin with `what` and name field, expected and found.
Result<PackedFile> parse_packed_header(std::span<const std::byte> bytes, std::string_view what);

/// ok when both say the same, or the first field in which they differ: expected and found.
Status compare_packed_headers(const PackedHeader& found, const PackedHeader& expected,
                              std::string_view what);

}  // namespace llm::formats
