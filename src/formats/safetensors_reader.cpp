#include "formats/safetensors_reader.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "core/little_endian.h"
#include "core/quote.h"

namespace llm::formats {
namespace {

using core::corrupt_data;
using core::Json;
using core::quote;
using core::unsupported;

constexpr std::size_t kLengthBytes = 8;

constexpr std::pair<std::string_view, DType> kDTypeNames[] = {
    {"F64", DType::f64},   {"F32", DType::f32},         {"F16", DType::f16},
    {"BF16", DType::bf16}, {"F8_E4M3", DType::f8_e4m3}, {"F8_E5M2", DType::f8_e5m2},
    {"I64", DType::i64},   {"I32", DType::i32},         {"I16", DType::i16},
    {"I8", DType::i8},     {"U64", DType::u64},         {"U32", DType::u32},
    {"U16", DType::u16},   {"U8", DType::u8},           {"BOOL", DType::boolean}};

// Part of the format, but nothing here computes with them.
constexpr std::string_view kUnsupportedDTypes[] = {
    "F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"};

/// A short rendering of a JSON value for messages.
std::string shown(const Json& value) {
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  if (value.is_object()) return "an object";
  return core::printable(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// A whole number within the range of std::int64_t that is not negative.
bool read_count(const Json& value, std::uint64_t& count) {
  if (!value.is_number_integer() || (!value.is_number_unsigned() && value < 0)) return false;
  count = value.get<std::uint64_t>();
  return count <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
}

struct Span {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

Status read_dtype(const Json& value, std::string_view place, DType& dtype) {
  if (!value.is_string()) {
    return corrupt_data("{}: dtype: expected a string, found {}", place, shown(value));
  }
  const auto& name = value.get_ref<const std::string&>();
  for (const auto& [known, type] : kDTypeNames) {
    if (name == known) {
      dtype = type;
      return {};
    }
  }
  if (std::find(std::begin(kUnsupportedDTypes), std::end(kUnsupportedDTypes), name) !=
      std::end(kUnsupportedDTypes)) {
    return unsupported("{}: dtype {} is not supported", place, name);
  }
  return corrupt_data("{}: dtype: unknown type {}", place, quote(name));
}

Status read_shape(const Json& value, std::string_view place, core::Shape& shape) {
  if (!value.is_array()) {
    return corrupt_data("{}: shape: expected an array, found {}", place, shown(value));
  }
  if (value.size() > core::Shape::kMaxDims) {
    return unsupported("{}: shape: expected at most {} dimensions, found {}", place,
                       core::Shape::kMaxDims, value.size());
  }
  for (const Json& dim : value) {
    std::uint64_t count = 0;
    if (!read_count(dim, count) || !shape.push_back(static_cast<std::int64_t>(count))) {
      return corrupt_data("{}: shape: expected whole numbers from 0 to 2^63 - 1, found {}", place,
                          shown(dim));
    }
  }
  return {};
}

Status read_offsets(const Json& value, std::string_view place, Span& span) {
  if (!value.is_array() || value.size() != 2 || !read_count(value[0], span.begin) ||
      !read_count(value[1], span.end) || span.begin > span.end) {
    return corrupt_data("{}: data_offsets: expected [begin, end] with begin <= end, found {}",
                        place,
                        value.is_array() && value.size() == 2
                            ? fmt::format("[{}, {}]", shown(value[0]), shown(value[1]))
                            : shown(value));
  }
  return {};
}

Status read_metadata(const Json& value, std::string_view what,
                     std::map<std::string, std::string>& metadata) {
  if (!value.is_object()) {
    return corrupt_data("{}: __metadata__: expected an object, found {}", what, shown(value));
  }
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      return corrupt_data("{}: __metadata__ key {}: expected a string, found {}", what, quote(key),
                          shown(text));
    }
    metadata.emplace(key, text.get<std::string>());
  }
  return {};
}

Status read_entry(const Json& value, std::string_view place, TensorEntry& entry, Span& span) {
  if (!value.is_object()) {
    return corrupt_data("{}: expected an object, found {}", place, shown(value));
  }
  const std::array<const char*, 3> keys = {"dtype", "shape", "data_offsets"};
  for (const char* key : keys) {
    if (!value.contains(key)) return corrupt_data("{}: {} is missing", place, key);
  }
  LLM_RETURN_IF_ERROR(read_dtype(value["dtype"], place, entry.view.dtype));
  LLM_RETURN_IF_ERROR(read_shape(value["shape"], place, entry.view.shape));
  LLM_RETURN_IF_ERROR(read_offsets(value["data_offsets"], place, span));
  const std::optional<std::size_t> size = tensor_bytes(entry.view.dtype, entry.view.shape);
  if (!size) {
    return corrupt_data("{}: the size of shape {} overflows", place, entry.view.shape.to_string());
  }
  if (span.end - span.begin != *size) {
    return corrupt_data("{}: expected {} bytes for {} {}, found data_offsets [{}, {}]", place,
                        *size, to_string(entry.view.dtype), entry.view.shape.to_string(),
                        span.begin, span.end);
  }
  entry.view.bytes = *size;
  return {};
}

struct Placed {
  TensorEntry entry;
  Span span;
};

/// Sorts by position and checks that the tensors cover the data exactly.
Status check_tiling(std::vector<Placed>& placed, std::size_t data_bytes, std::string_view what) {
  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    if (a.span.begin != b.span.begin) return a.span.begin < b.span.begin;
    if (a.span.end != b.span.end) return a.span.end < b.span.end;
    return a.entry.name < b.entry.name;
  });
  std::uint64_t covered = 0;
  for (const auto& [entry, span] : placed) {
    if (span.begin != covered) {
      return corrupt_data("{}: tensor {}: {} at byte {} of the data: expected it to begin at {}",
                          what, quote(entry.name),
                          span.begin < covered ? "overlaps another" : "leaves a hole", span.begin,
                          covered);
    }
    if (span.end > data_bytes) {
      return corrupt_data(
          "{}: tensor {}: ends at byte {} of the data, but the file has only {} bytes "
          "of data (incomplete file?)",
          what, quote(entry.name), span.end, data_bytes);
    }
    covered = span.end;
  }
  if (covered != data_bytes) {
    return corrupt_data("{}: the tensors cover {} bytes, but the file has {} bytes of data", what,
                        covered, data_bytes);
  }
  return {};
}

}  // namespace

Result<SafetensorsContents> parse_safetensors(std::span<const std::byte> bytes,
                                              std::string_view what) {
  if (bytes.size() < kLengthBytes) {
    return corrupt_data("{}: not a safetensors file: expected at least {} bytes, found {}", what,
                        kLengthBytes, bytes.size());
  }
  const auto header_bytes = core::load_le<std::uint64_t>(bytes.data());
  if (header_bytes > kSafetensorsMaxHeaderBytes) {
    return corrupt_data("{}: header length: expected at most {}, found {}", what,
                        kSafetensorsMaxHeaderBytes, header_bytes);
  }
  if (header_bytes > bytes.size() - kLengthBytes) {
    return corrupt_data("{}: header length: expected at most the {} bytes that follow, found {}",
                        what, bytes.size() - kLengthBytes, header_bytes);
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes,
                                static_cast<std::size_t>(header_bytes));
  if (!header.starts_with('{')) {
    return corrupt_data("{}: header: expected it to start with {{, found {}", what,
                        quote(header.substr(0, 1)));
  }
  const std::string header_place = std::string(what) + ": header";
  LLM_ASSIGN_OR_RETURN(const Json root, core::parse_json(header, header_place, {.max_depth = 8}));

  SafetensorsContents contents;
  std::vector<Placed> placed;
  placed.reserve(root.size());
  for (const auto& [name, value] : root.items()) {
    if (name == "__metadata__") {
      LLM_RETURN_IF_ERROR(read_metadata(value, what, contents.metadata));
      continue;
    }
    Placed& tensor = placed.emplace_back();
    tensor.entry.name = name;
    const std::string place = fmt::format("{}: tensor {}", what, quote(name));
    LLM_RETURN_IF_ERROR(read_entry(value, place, tensor.entry, tensor.span));
  }
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + header.size());
  LLM_RETURN_IF_ERROR(check_tiling(placed, data.size(), what));
  contents.tensors.reserve(placed.size());
  for (auto& [entry, span] : placed) {
    entry.view.data = data.data() + span.begin;
    contents.tensors.push_back(std::move(entry));
  }
  return contents;
}

std::string_view safetensors_dtype_name(DType dtype) {
  for (const auto& [name, type] : kDTypeNames) {
    if (type == dtype) return name;
  }
  return {};
}

}  // namespace llm::formats
