#include <bit>
#include <limits>
#include <utility>

#include "core/error.h"
#include "core/little_endian.h"
#include "core/quote.h"
#include "formats/gguf_reader.h"
#include "formats/tensor_writer.h"

namespace llm::formats {
namespace {

constexpr std::uint32_t kVersion = 3;

/// Appends little-endian fields.
class HeaderText {
 public:
  template <class T>
  void put(T value) {
    char bytes[sizeof(T)];
    core::store_le(bytes, value);
    text_.append(bytes, sizeof bytes);
  }
  void put_string(std::string_view text) {
    put<std::uint64_t>(text.size());
    text_ += text;
  }
  void pad_to(std::size_t alignment) {
    text_.append((alignment - text_.size() % alignment) % alignment, '\0');
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

template <class Stored>
bool put_integer(std::int64_t value, HeaderText& out) {
  if (!std::in_range<Stored>(value)) return false;
  out.put(static_cast<Stored>(value));
  return true;
}

/// Appends one value as `type`; false when it does not fit that type.
bool put_value(std::int64_t value, GgufType type, HeaderText& out) {
  switch (type) {
    case GgufType::u8:
      return put_integer<std::uint8_t>(value, out);
    case GgufType::i8:
      return put_integer<std::int8_t>(value, out);
    case GgufType::u16:
      return put_integer<std::uint16_t>(value, out);
    case GgufType::i16:
      return put_integer<std::int16_t>(value, out);
    case GgufType::u32:
      return put_integer<std::uint32_t>(value, out);
    case GgufType::i32:
      return put_integer<std::int32_t>(value, out);
    case GgufType::u64:
      return put_integer<std::uint64_t>(value, out);
    case GgufType::i64:
      return put_integer<std::int64_t>(value, out);
    default:
      return false;
  }
}

bool put_value(double value, GgufType type, HeaderText& out) {
  if (type == GgufType::f32) {
    out.put(static_cast<float>(value));
  } else if (type == GgufType::f64) {
    out.put(value);
  } else {
    return false;
  }
  return true;
}

bool put_value(bool value, GgufType type, HeaderText& out) {
  out.put<std::uint8_t>(value ? 1 : 0);
  return type == GgufType::boolean;
}

bool put_value(const std::string& value, GgufType type, HeaderText& out) {
  out.put_string(value);
  return type == GgufType::string;
}

template <class T>
bool put_value(const std::vector<T>& items, GgufType type, HeaderText& out) {
  out.put(static_cast<std::uint32_t>(type));
  out.put<std::uint64_t>(items.size());
  for (std::size_t n = 0; n < items.size(); ++n) {
    // The copy turns a proxy of vector<bool> into a bool.
    const T item = items[n];
    if (!put_value(item, type, out)) return false;
  }
  return true;
}

bool put_value(const GgufArray& array, GgufType type, HeaderText& out) {
  return std::visit([&](const auto& items) { return put_value(items, type, out); }, array);
}

Status put_pair(const std::string& key, const GgufValue& value, GgufType type, HeaderText& out) {
  if (key.empty() || key.size() > kGgufMaxKeyBytes) {
    return core::invalid_argument("metadata key {}: expected 1 to {} bytes, found {}",
                                  core::quote(key), kGgufMaxKeyBytes, key.size());
  }
  const bool is_array = std::holds_alternative<GgufArray>(value);
  out.put_string(key);
  out.put(static_cast<std::uint32_t>(is_array ? GgufType::array : type));
  const bool fits = std::visit([&](const auto& item) { return put_value(item, type, out); }, value);
  if (fits) return {};
  return core::invalid_argument("metadata key {}: the value does not fit type {}", core::quote(key),
                                gguf_type_name(static_cast<std::uint32_t>(type)));
}

Status put_tensor_info(const TensorDeclaration& tensor, std::size_t offset, HeaderText& out) {
  const int type_id = dtype_info(tensor.dtype).gguf_id;
  const std::string item = "tensor " + core::quote(tensor.name);
  if (type_id < 0)
    return core::invalid_argument("{}: GGUF has no {}", item, to_string(tensor.dtype));
  if (tensor.name.empty() || tensor.name.size() > kGgufMaxNameBytes) {
    return core::invalid_argument("{}: expected a name of 1 to {} bytes, found {}", item,
                                  kGgufMaxNameBytes, tensor.name.size());
  }
  if (tensor.shape.rank() > kGgufMaxDims) {
    return core::invalid_argument("{}: expected at most {} dimensions, found {}", item,
                                  kGgufMaxDims, tensor.shape.rank());
  }
  out.put_string(tensor.name);
  out.put(static_cast<std::uint32_t>(tensor.shape.rank()));
  for (std::size_t axis = tensor.shape.rank(); axis-- > 0;) {
    out.put(static_cast<std::uint64_t>(tensor.shape[axis]));  // innermost first
  }
  out.put(static_cast<std::uint32_t>(type_id));
  out.put<std::uint64_t>(offset);
  return {};
}

}  // namespace

Result<TensorFileWriter> TensorFileWriter::create_gguf(
    const std::filesystem::path& path, const std::vector<TensorDeclaration>& tensors,
    const GgufMetadata& metadata) {
  auto stored_alignment = metadata.get_int("general.alignment");
  if (!stored_alignment) return stored_alignment.error().with_prefix(path.string());
  const std::int64_t alignment_value = stored_alignment->value_or(kGgufDefaultAlignment);
  if (alignment_value < 1 || alignment_value > 1 << 20 ||
      !std::has_single_bit(static_cast<std::uint64_t>(alignment_value))) {
    return core::invalid_argument(
        "{}: general.alignment: expected a power of two up to 2^20, found {}", path.string(),
        alignment_value);
  }
  const auto alignment = static_cast<std::size_t>(alignment_value);
  LLM_ASSIGN_OR_RETURN(std::vector<Slot> slots, make_slots(path, tensors, alignment));

  HeaderText header;
  for (const char character : kGgufMagic) header.put(character);
  header.put(kVersion);
  header.put<std::uint64_t>(tensors.size());
  header.put<std::uint64_t>(metadata.values().size());
  for (const auto& [key, value] : metadata.values()) {
    LLM_RETURN_IF_ERROR(
        put_pair(key, value, *metadata.stored_type(key), header).with_prefix(path.string()));
  }
  std::size_t offset = 0;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    LLM_RETURN_IF_ERROR(put_tensor_info(tensors[t], offset, header).with_prefix(path.string()));
    offset += slots[t].bytes + slots[t].padding;
  }
  header.pad_to(alignment);
  return create(path, header.text(), std::move(slots));
}

}  // namespace llm::formats
