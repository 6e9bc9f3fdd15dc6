#include "core/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <utility>

#include "core/error.h"

namespace llm::core {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSmallPage = 4096;

std::size_t round_up(std::size_t bytes, std::size_t step) {
  return (bytes + step - 1) / step * step;
}

}  // namespace

std::size_t AlignedBuffer::footprint(std::size_t bytes) { return round_up(bytes, kSmallPage); }

Result<AlignedBuffer> AlignedBuffer::allocate(std::size_t bytes, const char* what) {
  AlignedBuffer buffer;
  if (bytes == 0) return buffer;
  if (bytes > SIZE_MAX / 2) return resource_exhausted("{}: {} bytes asked for", what, bytes);
  const bool large = bytes >= kHugePage;
  // To small pages: a huge page is not made of the part behind the last whole one.
  const std::size_t wanted = footprint(bytes);
  // Map one huge page more than needed, then give back what lies outside the aligned part.
  const std::size_t slack = large ? kHugePage : 0;
  void* raw =
      ::mmap(nullptr, wanted + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) {
    return resource_exhausted("{}: cannot allocate {} bytes of memory", what, bytes);
  }
  auto* begin = static_cast<std::byte*>(raw);
  if (large) {
    const std::size_t head = round_up(reinterpret_cast<std::uintptr_t>(begin), kHugePage) -
                             reinterpret_cast<std::uintptr_t>(begin);
    if (head != 0) ::munmap(begin, head);
    if (slack - head != 0) ::munmap(begin + head + wanted, slack - head);
    begin += head;
    ::madvise(begin, wanted, MADV_HUGEPAGE);
  }
  buffer.data_ = begin;
  buffer.size_ = bytes;
  buffer.mapped_ = wanted;
  return buffer;
}

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

AlignedBuffer::~AlignedBuffer() {
  if (data_ != nullptr) ::munmap(data_, mapped_);
}

}  // namespace llm::core
