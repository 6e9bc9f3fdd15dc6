#include "formats/packed_header.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "core/quote.h"
#include "formats/byte_reader.h"

namespace llm::formats {
namespace {

using core::corrupt_data;
using core::Json;
using core::printable;

std::size_t aligned(std::size_t bytes) {
  return (bytes + kPackedAlignment - 1) / kPackedAlignment * kPackedAlignment;
}

// Fingerprints are written in hexadecimal: not every JSON reader keeps 64 bits of a number.
std::string hex(std::uint64_t value) { return fmt::format("{:016x}", value); }

std::string shown(const Json& value) {
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// Reads members of one JSON object; the first problem stays in status().
class FieldReader {
 public:
  FieldReader(const Json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object.is_object()) fail("", "an object", object);
  }

  void read(const char* key, std::string& value) {
    const Json* member = find(key);
    if (member == nullptr) return;
    if (!member->is_string()) return fail(key, "a string", *member);
    value = member->get_ref<const std::string&>();
  }
  void read(const char* key, std::int64_t& value) { read_integer(key, value); }
  void read(const char* key, std::uint64_t& value) { read_integer(key, value); }
  void read_hex(const char* key, std::uint64_t& value) {
    std::string text;
    read(key, text);
    if (!status_.ok()) return;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, /*base=*/16);
    if (text.size() != 16 || error != std::errc() || end != text.data() + text.size()) {
      fail(key, "16 hexadecimal digits", object_[key]);
    }
  }
  /// The elements of an array; none when it is not one.
  const Json& array(const char* key) {
    static const Json kNone = Json::array();
    const Json* member = find(key);
    if (member == nullptr) return kNone;
    if (member->is_array()) return *member;
    fail(key, "an array", *member);
    return kNone;
  }

  void fail(std::string_view key, std::string_view expected, const Json& found) {
    if (!status_.ok()) return;
    status_ = corrupt_data("{}{}{}: expected {}, found {}", place_, key.empty() ? "" : ": ", key,
                           expected, shown(found));
  }
  const std::string& place() const { return place_; }
  const Status& status() const { return status_; }

 private:
  const Json* find(const char* key) {
    if (!status_.ok()) return nullptr;
    const auto found = object_.find(key);
    if (found != object_.end()) return &*found;
    status_ = corrupt_data("{}: {} is missing", place_, key);
    return nullptr;
  }
  template <class Integer>
  void read_integer(const char* key, Integer& value) {
    const Json* member = find(key);
    if (member == nullptr) return;
    const bool fits =
        std::is_signed_v<Integer>
            ? !member->is_number_unsigned() ||
                  member->get<std::uint64_t>() <=
                      static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
            : member->is_number_unsigned();
    if (!member->is_number_integer() || !fits) {
      return fail(key, std::is_signed_v<Integer> ? "a 64-bit integer" : "a whole number", *member);
    }
    value = member->get<Integer>();
  }

  const Json& object_;
  std::string place_;
  Status status_;
};

/// Bytes of the panels of a matrix, or false when its numbers make no sense or overflow.
bool packed_bytes(const PackedMatrixEntry& matrix, std::size_t& bytes) {
  if (matrix.rows < 1 || matrix.cols < 1 || matrix.panel_rows < 1 || matrix.panel_bytes == 0) {
    return false;
  }
  const auto panels = static_cast<std::size_t>((matrix.rows - 1) / matrix.panel_rows + 1);
  return !__builtin_mul_overflow(panels, matrix.panel_bytes, &bytes);
}

Status read_matrix(FieldReader& fields, PackedMatrixEntry& matrix) {
  std::string dtype;
  fields.read("name", matrix.name);
  fields.read("dtype", dtype);
  fields.read("rows", matrix.rows);
  fields.read("cols", matrix.cols);
  fields.read("panel_rows", matrix.panel_rows);
  fields.read("panel_bytes", matrix.panel_bytes);
  fields.read("offset", matrix.offset);
  fields.read("bytes", matrix.bytes);
  LLM_RETURN_IF_ERROR(fields.status());
  const std::optional<DType> known = dtype_from_name(dtype);
  if (!known) fields.fail("dtype", "a known type", dtype);
  matrix.dtype = known.value_or(DType::f32);
  std::size_t bytes = 0;
  if (!packed_bytes(matrix, bytes) || matrix.bytes != bytes) {
    fields.fail("bytes",
                fmt::format("those of {} rows in panels of {} rows and {} bytes", matrix.rows,
                            matrix.panel_rows, matrix.panel_bytes),
                matrix.bytes);
  }
  return fields.status();
}

/// Every matrix begins where the one before it ends, the last one ends with the file.
Status check_places(const std::vector<PackedMatrixEntry>& matrices, std::size_t data_bytes,
                    std::string_view what) {
  std::size_t end = 0;
  for (const PackedMatrixEntry& matrix : matrices) {
    const std::size_t begin = aligned(end);  // end <= data_bytes: cannot overflow
    if (matrix.offset != begin) {
      return corrupt_data("{}: matrix {}: offset: expected {}, found {}", what,
                          printable(matrix.name), begin, matrix.offset);
    }
    if (begin > data_bytes || matrix.bytes > data_bytes - begin) {
      return corrupt_data(
          "{}: matrix {}: expected {} bytes from {} on, found {} bytes of matrices in all (the "
          "file was cut)",
          what, printable(matrix.name), matrix.bytes, begin, data_bytes);
    }
    end = begin + matrix.bytes;
  }
  if (end == data_bytes) return {};
  return corrupt_data("{}: expected {} bytes of matrices, found {}", what, end, data_bytes);
}

Status read_json(const Json& root, const std::string& place, PackedHeader& header) {
  FieldReader fields(root, place);
  fields.read("instruction_set", header.instruction_set);
  fields.read_hex("layout", header.layout);
  fields.read("dtype", header.dtype);
  for (const Json& value : fields.array("sources")) {
    PackedSource& source = header.sources.emplace_back();
    FieldReader file(value, fmt::format("{}: source {}", place, header.sources.size()));
    file.read("name", source.name);
    file.read("size", source.size);
    file.read("modified_ns", source.modified_ns);
    file.read_hex("sample", source.sample);
    LLM_RETURN_IF_ERROR(file.status());
  }
  for (const Json& value : fields.array("matrices")) {
    PackedMatrixEntry& matrix = header.matrices.emplace_back();
    FieldReader entry(value, fmt::format("{}: matrix {}", place, header.matrices.size()));
    LLM_RETURN_IF_ERROR(read_matrix(entry, matrix));
  }
  return fields.status();
}

/// The first of several fields that differs.
class Comparison {
 public:
  explicit Comparison(std::string place) : place_(std::move(place)) {}

  template <class T>
  Comparison& field(std::string_view name, const T& found, const T& expected) {
    if (!status_.ok() || found == expected) return *this;
    if constexpr (std::is_same_v<T, std::string>) {
      differ(name, printable(found), printable(expected));
    } else {
      differ(name, fmt::format("{}", found), fmt::format("{}", expected));
    }
    return *this;
  }
  Comparison& fingerprint(std::string_view name, std::uint64_t found, std::uint64_t expected) {
    return field(name, hex(found), hex(expected));
  }
  const Status& status() const { return status_; }

 private:
  void differ(std::string_view name, const std::string& found, const std::string& expected) {
    status_ = corrupt_data("{}: {}: expected {}, found {}", place_, name, expected, found);
  }

  std::string place_;
  Status status_;
};

Status compare(const PackedSource& found, const PackedSource& expected, const std::string& place) {
  return Comparison(place)
      .field("name", found.name, expected.name)
      .field("size", found.size, expected.size)
      .field("modified_ns", found.modified_ns, expected.modified_ns)
      .fingerprint("sample of its bytes", found.sample, expected.sample)
      .status();
}

Status compare(const PackedMatrixEntry& found, const PackedMatrixEntry& expected,
               const std::string& place) {
  return Comparison(place)
      .field("name", found.name, expected.name)
      .field("dtype", to_string(found.dtype), to_string(expected.dtype))
      .field("rows", found.rows, expected.rows)
      .field("cols", found.cols, expected.cols)
      .field("panel_rows", found.panel_rows, expected.panel_rows)
      .field("panel_bytes", found.panel_bytes, expected.panel_bytes)
      .field("offset", found.offset, expected.offset)
      .field("bytes", found.bytes, expected.bytes)
      .status();
}

template <class Entry>
Status compare_all(const std::vector<Entry>& found, const std::vector<Entry>& expected,
                   std::string_view what, std::string_view kind, std::string_view kinds) {
  LLM_RETURN_IF_ERROR(Comparison(std::string(what))
                          .field(fmt::format("number of {}", kinds), found.size(), expected.size())
                          .status());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] == expected[i]) continue;
    return compare(found[i], expected[i],
                   fmt::format("{}: {} {}", what, kind, printable(expected[i].name)));
  }
  return {};
}

}  // namespace

void place_matrices(std::vector<PackedMatrixEntry>& matrices) {
  std::size_t end = 0;
  for (PackedMatrixEntry& matrix : matrices) {
    matrix.offset = aligned(end);
    packed_bytes(matrix, matrix.bytes);
    end = matrix.offset + matrix.bytes;
  }
}

Result<std::string> encode_packed_header(const PackedHeader& header) {
  Json root = {{"instruction_set", header.instruction_set},
               {"layout", hex(header.layout)},
               {"dtype", header.dtype},
               {"sources", Json::array()},
               {"matrices", Json::array()}};
  for (const PackedSource& source : header.sources) {
    root["sources"].push_back({{"name", source.name},
                               {"size", source.size},
                               {"modified_ns", source.modified_ns},
                               {"sample", hex(source.sample)}});
  }
  for (const PackedMatrixEntry& matrix : header.matrices) {
    root["matrices"].push_back({{"name", matrix.name},
                                {"dtype", to_string(matrix.dtype)},
                                {"rows", matrix.rows},
                                {"cols", matrix.cols},
                                {"panel_rows", matrix.panel_rows},
                                {"panel_bytes", matrix.panel_bytes},
                                {"offset", matrix.offset},
                                {"bytes", matrix.bytes}});
  }
  const std::string text = root.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kPackedMaxJsonBytes) {
    return core::unsupported("the header of the packed weights has {} bytes, expected at most {}",
                             text.size(), kPackedMaxJsonBytes);
  }
  std::string bytes(kPackedMagic);
  const auto append = [&bytes](std::uint64_t number) {
    char raw[sizeof number];
    core::store_le(raw, number);
    bytes.append(raw, sizeof raw);
  };
  append(kPackedVersion);
  append(text.size());
  bytes += text;
  bytes.resize(aligned(bytes.size()), '\0');
  return bytes;
}

bool starts_as_packed_file(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return kPackedMagic.starts_with(text.substr(0, kPackedMagic.size()));
}

Result<PackedFile> parse_packed_header(std::span<const std::byte> bytes, std::string_view what) {
  ByteReader reader(bytes);
  std::string_view magic;
  std::uint64_t version = 0;
  std::uint64_t length = 0;
  if (!reader.read_bytes(kPackedMagic.size(), magic) || magic != kPackedMagic) {
    return corrupt_data("{}: expected a file of packed weights, found {}", what,
                        core::quote(magic));
  }
  if (!reader.read(version)) return corrupt_data("{}: version: the file ends before it", what);
  if (version != kPackedVersion) {
    return corrupt_data("{}: version: expected {}, found {}", what, kPackedVersion, version);
  }
  if (!reader.read(length)) return corrupt_data("{}: header length: the file ends before it", what);
  const std::uint64_t most = std::min<std::uint64_t>(kPackedMaxJsonBytes, reader.remaining());
  std::string_view text;
  if (length > most || !reader.read_bytes(length, text)) {
    return corrupt_data("{}: header length: expected at most {}, found {}", what, most, length);
  }
  const std::string place = fmt::format("{}: header", what);
  LLM_ASSIGN_OR_RETURN(const Json root, core::parse_json(text, place, {.max_depth = 8}));
  PackedFile file;
  LLM_RETURN_IF_ERROR(read_json(root, place, file.header));
  file.data_begin = aligned(reader.position());
  if (file.data_begin > bytes.size()) {
    return corrupt_data("{}: expected matrices from byte {} on, found {} bytes in all", what,
                        file.data_begin, bytes.size());
  }
  LLM_RETURN_IF_ERROR(check_places(file.header.matrices, bytes.size() - file.data_begin, what));
  return file;
}

Status compare_packed_headers(const PackedHeader& found, const PackedHeader& expected,
                              std::string_view what) {
  const std::string place(what);
  LLM_RETURN_IF_ERROR(Comparison(place)
                          .field("instruction_set", found.instruction_set, expected.instruction_set)
                          .field("dtype", found.dtype, expected.dtype)
                          .status());
  LLM_RETURN_IF_ERROR(compare_all(found.sources, expected.sources, what, "source", "sources"));
  LLM_RETURN_IF_ERROR(compare_all(found.matrices, expected.matrices, what, "matrix", "matrices"));
  // Last: it depends on the types of the matrices too.
  return Comparison(place).fingerprint("layout", found.layout, expected.layout).status();
}

}  // namespace llm::formats
