// AlignedBuffer: owned, zero-initialised memory aligned to 64 bytes (to 2 MiB and backed by huge
// pages where the kernel allows it, when large). Move-only; the address does not change on a move.
#pragma once

#include <cstddef>

#include "llm/status.h"

namespace llm::core {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// Fails with resource_exhausted, naming the size and `what` it was for.
  static Result<AlignedBuffer> allocate(std::size_t bytes, const char* what);
  /// Memory that a buffer of `bytes` takes once all of it has been written: whole pages.
  static std::size_t footprint(std::size_t bytes);

  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  ~AlignedBuffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;  // bytes of the mapping; larger than size_ by rounding
};

}  // namespace llm::core
