// MappedFile: a whole regular file mapped read-only. Move-only; the mapping lives as long as the
// object and does not move with it, so views into it stay valid. Reads from any thread. Touching a
// page that the file has lost meanwhile ends the process (SIGBUS): what is read long after opening
// is read through a FileReader, which reports it instead, or stated to be mapped (packed weights).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "llm/status.h"

namespace llm::core {

/// Reads parts of an open file; a copy reads the same file, which stays open with the last one. Any
/// thread.
class FileReader {
 public:
  FileReader() = default;

  /// Fills `target` from `offset` on. Fails with io_error, naming the file, when the system refuses
  /// or the file ends before.
  Status read(std::size_t offset, std::span<std::byte> target) const;
  /// When the file was last written, in nanoseconds since 1970.
  Result<std::int64_t> modified_ns() const;

 private:
  friend class MappedFile;
  struct OpenFile;
  explicit FileReader(std::shared_ptr<const OpenFile> file) : file_(std::move(file)) {}

  std::shared_ptr<const OpenFile> file_;
};

class MappedFile {
 public:
  /// Fails with not_found, or io_error for anything that is not a readable regular file.
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }
  /// Of this very file, also after another one took its name; outlives the mapping.
  const FileReader& reader() const { return reader_; }

  /// Tells the kernel that this part of the mapping will not be read again soon, so that its pages
  /// stop counting as resident. The content stays readable.
  void release_pages(std::span<const std::byte> part) const;
  /// Brings this part of the mapping into memory, in large pages where the system has them for
  /// files. Fails with io_error, naming the file, when it cannot be read or was cut since.
  Status load_pages(std::span<const std::byte> part) const;

 private:
  MappedFile(std::filesystem::path path, FileReader reader, const std::byte* data,
             std::size_t size);

  std::filesystem::path path_;
  FileReader reader_;
  const std::byte* data_ = nullptr;  // null for an empty file
  std::size_t size_ = 0;
};

/// Reads a whole text file of at most `max_bytes`; errors name the file.
Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t max_bytes);

}  // namespace llm::core
