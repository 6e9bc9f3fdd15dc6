#include "formats/gguf_reader.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>
#include <unordered_set>
#include <utility>

#include "core/error.h"
#include "core/quote.h"
#include "formats/byte_reader.h"

namespace llm::formats {
namespace {

using core::corrupt_data;
using core::quote;
using core::unsupported;

// The least that one metadata pair (empty key, type, one byte) and one tensor (empty name, no
// dimensions, type, offset) take: bounds the counts in the header by the size of the file.
constexpr std::size_t kMinPairBytes = 8 + 4 + 1;
constexpr std::size_t kMinTensorBytes = 8 + 4 + 4 + 8;

class Parser {
 public:
  Parser(std::span<const std::byte> bytes, std::string_view what)
      : bytes_(bytes), reader_(bytes), what_(what) {}

  Result<GgufContents> parse() {
    LLM_RETURN_IF_ERROR(read_header());
    for (std::uint64_t pair = 0; pair < pair_count_; ++pair) LLM_RETURN_IF_ERROR(read_pair(pair));
    LLM_RETURN_IF_ERROR(read_alignment());
    contents_.tensors.reserve(static_cast<std::size_t>(tensor_count_));
    offsets_.reserve(static_cast<std::size_t>(tensor_count_));
    for (std::uint64_t tensor = 0; tensor < tensor_count_; ++tensor) {
      LLM_RETURN_IF_ERROR(read_tensor_info(tensor));
    }
    LLM_RETURN_IF_ERROR(place_tensors());
    return std::move(contents_);
  }

 private:
  Status truncated(std::string_view item) const {
    return corrupt_data("{}: {}: the file ends too early, at byte {}", what_, item, bytes_.size());
  }

  Status read_header();
  Status read_pair(std::uint64_t index);
  Result<GgufValue> read_value(GgufType type, std::string_view item);
  Result<GgufValue> read_array(std::string_view item, GgufType& element_type);
  Status read_alignment();
  Status read_tensor_info(std::uint64_t index);
  Status place_tensors();

  /// Reads a T and widens it; false at the end of the file.
  template <class Stored, class Wide>
  bool read_as(Wide& value) {
    Stored stored{};
    if (!reader_.read(stored)) return false;
    value = static_cast<Wide>(stored);
    return true;
  }
  Status read_integer(GgufType type, std::string_view item, std::int64_t& value);
  Status read_float(GgufType type, std::string_view item, double& value);
  Status read_bool(std::string_view item, bool& value);
  Status read_string(std::string_view item, std::size_t max_bytes, std::string_view& text);

  std::span<const std::byte> bytes_;
  ByteReader reader_;
  std::string_view what_;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t pair_count_ = 0;
  GgufContents contents_;
  std::vector<std::uint64_t> offsets_;  // of each tensor, relative to the data section
  std::unordered_set<std::string> names_;
};

Status Parser::read_header() {
  std::string_view magic;
  if (!reader_.read_bytes(kGgufMagic.size(), magic) || magic != kGgufMagic) {
    return corrupt_data("{}: not a GGUF file: expected the magic \"GGUF\", found {}", what_,
                        quote({reinterpret_cast<const char*>(bytes_.data()),
                               std::min(bytes_.size(), kGgufMagic.size())}));
  }
  std::uint32_t version = 0;
  if (!reader_.read(version)) return truncated("version");
  if (version != 0 && (version & 0xffffu) == 0) {
    return unsupported("{}: this GGUF file is big-endian; expected a little-endian file", what_);
  }
  if (version != 2 && version != 3) {
    return unsupported("{}: GGUF version: expected 2 or 3, found {}", what_, version);
  }
  contents_.version = version;
  if (!reader_.read(tensor_count_)) return truncated("tensor count");
  if (!reader_.read(pair_count_)) return truncated("metadata count");
  if (pair_count_ > reader_.remaining() / kMinPairBytes) {
    return corrupt_data("{}: metadata count: {} pairs cannot fit in the {} bytes that follow",
                        what_, pair_count_, reader_.remaining());
  }
  if (tensor_count_ > reader_.remaining() / kMinTensorBytes) {
    return corrupt_data("{}: tensor count: {} tensors cannot fit in the {} bytes that follow",
                        what_, tensor_count_, reader_.remaining());
  }
  return {};
}

Status Parser::read_string(std::string_view item, std::size_t max_bytes, std::string_view& text) {
  std::uint64_t length = 0;
  if (!reader_.read(length)) return truncated(item);
  if (length > reader_.remaining()) {
    return corrupt_data("{}: {}: a string of {} bytes, but only {} bytes are left", what_, item,
                        length, reader_.remaining());
  }
  if (length > max_bytes) {
    return corrupt_data("{}: {}: a string of {} bytes, expected at most {}", what_, item, length,
                        max_bytes);
  }
  if (!reader_.read_bytes(length, text)) return truncated(item);
  return {};
}

Status Parser::read_integer(GgufType type, std::string_view item, std::int64_t& value) {
  bool complete = false;
  switch (type) {
    case GgufType::u8:
      complete = read_as<std::uint8_t>(value);
      break;
    case GgufType::i8:
      complete = read_as<std::int8_t>(value);
      break;
    case GgufType::u16:
      complete = read_as<std::uint16_t>(value);
      break;
    case GgufType::i16:
      complete = read_as<std::int16_t>(value);
      break;
    case GgufType::u32:
      complete = read_as<std::uint32_t>(value);
      break;
    case GgufType::i32:
      complete = read_as<std::int32_t>(value);
      break;
    case GgufType::i64:
      complete = read_as<std::int64_t>(value);
      break;
    default: {
      std::uint64_t wide = 0;
      complete = reader_.read(wide);
      if (wide > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return corrupt_data("{}: {}: expected at most 2^63 - 1, found {}", what_, item, wide);
      }
      value = static_cast<std::int64_t>(wide);
    }
  }
  return complete ? Status() : truncated(item);
}

Status Parser::read_float(GgufType type, std::string_view item, double& value) {
  const bool complete = type == GgufType::f32 ? read_as<float>(value) : read_as<double>(value);
  return complete ? Status() : truncated(item);
}

Status Parser::read_bool(std::string_view item, bool& value) {
  std::uint8_t byte = 0;
  if (!reader_.read(byte)) return truncated(item);
  value = byte != 0;  // the reference reader takes any byte
  return {};
}

Result<GgufValue> Parser::read_value(GgufType type, std::string_view item) {
  switch (type) {
    case GgufType::f32:
    case GgufType::f64: {
      double value = 0;
      LLM_RETURN_IF_ERROR(read_float(type, item, value));
      return GgufValue(value);
    }
    case GgufType::boolean: {
      bool value = false;
      LLM_RETURN_IF_ERROR(read_bool(item, value));
      return GgufValue(value);
    }
    case GgufType::string: {
      std::string_view text;
      LLM_RETURN_IF_ERROR(read_string(item, bytes_.size(), text));
      return GgufValue(std::string(text));
    }
    default: {
      std::int64_t value = 0;
      LLM_RETURN_IF_ERROR(read_integer(type, item, value));
      return GgufValue(value);
    }
  }
}

Result<GgufValue> Parser::read_array(std::string_view item, GgufType& element_type) {
  std::uint32_t type_id = 0;
  std::uint64_t count = 0;
  if (!reader_.read(type_id) || !reader_.read(count)) return truncated(item);
  element_type = static_cast<GgufType>(type_id);
  if (element_type == GgufType::array) {
    return unsupported("{}: {}: an array of arrays; expected an array of plain values", what_,
                       item);
  }
  const std::size_t element_bytes = gguf_type_bytes(type_id);
  if (element_bytes == 0) {
    return corrupt_data("{}: {}: array elements have {}", what_, item, gguf_type_name(type_id));
  }
  if (count > reader_.remaining() / element_bytes) {
    return corrupt_data("{}: {}: an array of {} {} values cannot fit in the {} bytes that are left",
                        what_, item, count, gguf_type_name(type_id), reader_.remaining());
  }
  const auto fill = [&](auto items, auto read_item) -> Result<GgufValue> {
    items.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t n = 0; n < count; ++n) LLM_RETURN_IF_ERROR(read_item(items));
    return GgufValue(GgufArray(std::move(items)));
  };
  switch (element_type) {
    case GgufType::f32:
    case GgufType::f64:
      return fill(std::vector<double>(), [&](auto& items) {
        double value = 0;
        Status status = read_float(element_type, item, value);
        items.push_back(value);
        return status;
      });
    case GgufType::boolean:
      return fill(std::vector<bool>(), [&](auto& items) {
        bool value = false;
        Status status = read_bool(item, value);
        items.push_back(value);
        return status;
      });
    case GgufType::string:
      return fill(std::vector<std::string>(), [&](auto& items) {
        std::string_view text;
        Status status = read_string(item, bytes_.size(), text);
        items.emplace_back(text);
        return status;
      });
    default:
      return fill(std::vector<std::int64_t>(), [&](auto& items) {
        std::int64_t value = 0;
        Status status = read_integer(element_type, item, value);
        items.push_back(value);
        return status;
      });
  }
}

Status Parser::read_pair(std::uint64_t index) {
  std::string_view key;
  LLM_RETURN_IF_ERROR(read_string(fmt::format("key of metadata pair {} of {}", index, pair_count_),
                                  kGgufMaxKeyBytes, key));
  if (key.empty()) return corrupt_data("{}: metadata pair {}: the key is empty", what_, index);
  const std::string item = "metadata key " + quote(key);
  std::uint32_t type_id = 0;
  if (!reader_.read(type_id)) return truncated(item);
  auto stored = static_cast<GgufType>(type_id);
  if (stored != GgufType::array && gguf_type_bytes(type_id) == 0) {
    return corrupt_data("{}: {}: the value has {}", what_, item, gguf_type_name(type_id));
  }
  auto value = stored == GgufType::array ? read_array(item, stored) : read_value(stored, item);
  if (!value) return value.error();
  if (!contents_.metadata.insert(std::string(key), std::move(*value), stored)) {
    return corrupt_data("{}: {}: appears twice", what_, item);
  }
  return {};
}

Status Parser::read_alignment() {
  auto alignment = contents_.metadata.get_int("general.alignment");
  if (!alignment) return alignment.error().with_prefix(what_);
  if (!alignment->has_value()) return {};
  const std::int64_t value = **alignment;
  if (value <= 0 || value > std::int64_t{1} << 31 ||
      !std::has_single_bit(static_cast<std::uint64_t>(value))) {
    return corrupt_data(
        "{}: metadata key \"general.alignment\": expected a power of two of at most "
        "2^31, found {}",
        what_, value);
  }
  contents_.alignment = static_cast<std::size_t>(value);
  return {};
}

Status Parser::read_tensor_info(std::uint64_t index) {
  std::string_view name;
  LLM_RETURN_IF_ERROR(read_string(fmt::format("name of tensor {} of {}", index, tensor_count_),
                                  kGgufMaxNameBytes, name));
  const std::string item = "tensor " + quote(name);
  std::uint32_t n_dims = 0;
  if (!reader_.read(n_dims)) return truncated(item);
  if (n_dims > kGgufMaxDims) {
    return corrupt_data("{}: {}: expected at most {} dimensions, found {}", what_, item,
                        kGgufMaxDims, n_dims);
  }
  std::uint64_t ne[kGgufMaxDims] = {};
  for (std::uint32_t axis = 0; axis < n_dims; ++axis) {
    if (!reader_.read(ne[axis])) return truncated(item);
    if (ne[axis] > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return corrupt_data("{}: {}: dimension {} is {}, expected at most 2^63 - 1", what_, item,
                          axis, ne[axis]);
    }
  }
  std::uint32_t type_id = 0;
  std::uint64_t offset = 0;
  if (!reader_.read(type_id) || !reader_.read(offset)) return truncated(item);

  TensorEntry entry;
  entry.name = std::string(name);
  const std::optional<DType> dtype = dtype_from_gguf(type_id);
  if (!dtype) {
    return unsupported("{}: {}: cannot read type id {} ({})", what_, item, type_id,
                       gguf_tensor_type_name(type_id));
  }
  entry.view.dtype = *dtype;
  for (std::uint32_t axis = n_dims; axis-- > 0;) {
    if (!entry.view.shape.push_back(static_cast<std::int64_t>(ne[axis]))) {
      return core::internal_error("{}: {}: shape refused", what_, item);
    }
  }
  const auto block = static_cast<std::int64_t>(dtype_info(*dtype).block_elements);
  if (entry.view.shape.back() % block != 0) {
    return corrupt_data("{}: {}: rows of {} elements; type {} needs a multiple of {}", what_, item,
                        entry.view.shape.back(), to_string(*dtype), block);
  }
  const std::optional<std::size_t> size = tensor_bytes(*dtype, entry.view.shape);
  if (!size) {
    return corrupt_data("{}: {}: the size of shape {} overflows", what_, item,
                        entry.view.shape.to_string());
  }
  entry.view.bytes = *size;
  if (!names_.insert(entry.name).second) {
    return corrupt_data("{}: {}: appears twice", what_, item);
  }
  contents_.tensors.push_back(std::move(entry));
  offsets_.push_back(offset);
  return {};
}

Status Parser::place_tensors() {
  if (contents_.tensors.empty()) return {};  // a vocabulary alone may lack even the padding
  const std::size_t mask = contents_.alignment - 1;
  const std::size_t data_begin = (reader_.position() + mask) & ~mask;
  const std::size_t data_bytes = data_begin <= bytes_.size() ? bytes_.size() - data_begin : 0;
  std::size_t expected = 0;
  for (std::size_t t = 0; t < contents_.tensors.size(); ++t) {
    TensorEntry& tensor = contents_.tensors[t];
    // The reference reader's rule: tensors lie in the order of their infos, padded, without gaps.
    if (offsets_[t] != expected) {
      return corrupt_data(
          "{}: tensor {}: offset: expected {} (right behind the one before), found {}", what_,
          quote(tensor.name), expected, offsets_[t]);
    }
    // The first test matters for a tensor without elements, which needs no bytes.
    if (data_begin > bytes_.size() || expected > data_bytes ||
        tensor.view.bytes > data_bytes - expected) {
      return corrupt_data(
          "{}: tensor {}: expected {} bytes at offset {}, but the data section has {} "
          "bytes (incomplete file?)",
          what_, quote(tensor.name), tensor.view.bytes, expected, data_bytes);
    }
    tensor.view.data = bytes_.data() + data_begin + expected;
    expected = (expected + tensor.view.bytes + mask) & ~mask;
  }
  return {};
}

}  // namespace

Result<GgufContents> parse_gguf(std::span<const std::byte> bytes, std::string_view what) {
  return Parser(bytes, what).parse();
}

}  // namespace llm::formats
