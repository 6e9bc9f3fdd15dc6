// Builders of model files as strings of bytes, field by field, so that a test can get any field
// wrong.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace llm::formats {

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Little-endian fields, appended one by one.
class Bytes {
 public:
  Bytes& u8(std::uint8_t value) { return put(value); }
  Bytes& u16(std::uint16_t value) { return put(value); }
  Bytes& u32(std::uint32_t value) { return put(value); }
  Bytes& i32(std::int32_t value) { return put(value); }
  Bytes& u64(std::uint64_t value) { return put(value); }
  Bytes& f32(float value) { return put(value); }
  Bytes& f64(double value) { return put(value); }
  Bytes& raw(std::string_view value) {
    text_ += value;
    return *this;
  }
  Bytes& raw(const Bytes& other) { return raw(std::string_view(other.text_)); }
  /// GGUF string: length, bytes.
  Bytes& string(std::string_view value) { return u64(value.size()).raw(value); }
  Bytes& pad_to(std::size_t alignment) {
    text_.append((alignment - text_.size() % alignment) % alignment, '\0');
    return *this;
  }
  Bytes& fill(std::size_t count, char value = 0) {
    text_.append(count, value);
    return *this;
  }
  const std::string& text() const { return text_; }
  operator std::string() const { return text_; }  // NOLINT(*explicit*)

 private:
  template <class T>
  Bytes& put(T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof value);
    text_.append(bytes, sizeof bytes);
    return *this;
  }
  std::string text_;
};

/// Header of a GGUF file up to and including the counts.
inline Bytes gguf_header(std::uint64_t tensors, std::uint64_t pairs, std::uint32_t version = 3) {
  return Bytes().raw("GGUF").u32(version).u64(tensors).u64(pairs);
}

/// One tensor info.
inline Bytes gguf_tensor(std::string_view name, std::initializer_list<std::uint64_t> ne,
                         std::uint32_t type, std::uint64_t offset) {
  Bytes bytes;
  bytes.string(name).u32(static_cast<std::uint32_t>(ne.size()));
  for (const std::uint64_t dim : ne) bytes.u64(dim);
  return bytes.u32(type).u64(offset);
}

/// A safetensors file from the text of its header and its data.
inline std::string safetensors_file(std::string_view header, std::string_view data) {
  return Bytes().u64(header.size()).raw(header).raw(data);
}

}  // namespace llm::formats
