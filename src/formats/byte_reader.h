// ByteReader: a cursor over bytes of unknown honesty. Every read checks what is left first and says
// so by returning false; the position then stays where it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/little_endian.h"

namespace llm::formats {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }

  template <class T>
  [[nodiscard]] bool read(T& value) {
    if (remaining() < sizeof(T)) return false;
    value = core::load_le<T>(bytes_.data() + position_);
    position_ += sizeof(T);
    return true;
  }

  /// A view of the next `count` bytes.
  [[nodiscard]] bool read_bytes(std::uint64_t count, std::string_view& text) {
    if (count > remaining()) return false;
    text = {reinterpret_cast<const char*>(bytes_.data()) + position_,
            static_cast<std::size_t>(count)};
    position_ += static_cast<std::size_t>(count);
    return true;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
};

}  // namespace llm::formats
