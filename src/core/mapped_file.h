// MappedFile: a whole regular file mapped read-only. Move-only; the mapping lives as long as the
// object and does not move with it, so views into it stay valid. Reads from any thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "llm/status.h"

namespace llm::core {

class MappedFile {
 public:
  /// Fails with not_found, or io_error for anything that is not a readable regular file.
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

  /// Tells the kernel that this part of the mapping will not be read again soon, so that its pages
  /// stop counting as resident. The content stays readable.
  void release_pages(std::span<const std::byte> part) const;

 private:
  MappedFile(std::filesystem::path path, const std::byte* data, std::size_t size);

  std::filesystem::path path_;
  const std::byte* data_ = nullptr;  // null for an empty file
  std::size_t size_ = 0;
};

/// Reads a whole text file of at most `max_bytes`; errors name the file.
Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t max_bytes);

}  // namespace llm::core
