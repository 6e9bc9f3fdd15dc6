// OutputFile: a file that appears under its name only when it is complete. Bytes go to a temporary
// file in the same directory, which commit() gives the name and which is removed otherwise, so a
// failure (a full disk, a crash of the caller) never leaves half a file under the name; where the
// file system has files without a name, it leaves nothing at all. Every write is checked.
// Move-only, one thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "llm/status.h"

namespace llm::formats {

class OutputFile {
 public:
  static Result<OutputFile> create(const std::filesystem::path& path);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  ~OutputFile();

  /// Appends; buffered, so an error may show in a later call.
  Status write(std::span<const std::byte> bytes);
  /// Writes what is buffered, makes it durable and gives the file its name. Call once, last.
  Status commit();

  const std::filesystem::path& path() const { return path_; }

 private:
  OutputFile(std::filesystem::path path, std::filesystem::path temporary, int descriptor,
             bool named);

  Status flush();
  Status write_through(std::span<const std::byte> bytes);
  Status failed(const char* what, int error) const;
  void discard();

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;  // -1: committed, discarded or moved from
  bool named_ = false;   // the temporary file has its name
  std::vector<std::byte> buffer_;
};

}  // namespace llm::formats
