#include "core/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "core/error.h"

namespace llm::core {
namespace {

// Closes a descriptor at the end of its life.
struct FileDescriptor {
  int value = -1;
  FileDescriptor() = default;
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (value >= 0) ::close(value);
  }
};

Status open_regular_file(const std::filesystem::path& path, FileDescriptor& fd, std::size_t& size) {
  fd.value = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd.value < 0) {
    if (errno == ENOENT) return not_found("{}: no such file", path.string());
    return io_error("{}: cannot open: {}", path.string(), std::strerror(errno));
  }
  struct stat info {};
  if (::fstat(fd.value, &info) != 0) {
    return io_error("{}: cannot stat: {}", path.string(), std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) return io_error("{}: not a regular file", path.string());
  size = static_cast<std::size_t>(info.st_size);
  return {};
}

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

struct FileReader::OpenFile {
  std::filesystem::path path;
  FileDescriptor descriptor;
};

Status FileReader::read(std::size_t offset, std::span<std::byte> target) const {
  std::size_t done = 0;
  while (done < target.size()) {
    const ssize_t got = ::pread(file_->descriptor.value, target.data() + done, target.size() - done,
                                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return io_error("{}: cannot read: {}", file_->path.string(), std::strerror(errno));
    }
    if (got == 0) {
      return io_error(
          "{}: the file ends at byte {}, expected {} bytes from {} on: it was cut since "
          "it was opened",
          file_->path.string(), offset + done, target.size(), offset);
    }
    done += static_cast<std::size_t>(got);
  }
  return {};
}

Result<std::int64_t> FileReader::modified_ns() const {
  struct stat info {};
  if (::fstat(file_->descriptor.value, &info) != 0) {
    return io_error("{}: cannot stat: {}", file_->path.string(), std::strerror(errno));
  }
  return std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  auto file = std::make_shared<FileReader::OpenFile>();
  file->path = path;
  std::size_t size = 0;
  LLM_RETURN_IF_ERROR(open_regular_file(path, file->descriptor, size));
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file->descriptor.value, 0);
    if (data == MAP_FAILED) {
      return io_error("{}: cannot map {} bytes: {}", path.string(), size, std::strerror(errno));
    }
  }
  return MappedFile(path, FileReader(std::move(file)), static_cast<const std::byte*>(data), size);
}

MappedFile::MappedFile(std::filesystem::path path, FileReader reader, const std::byte* data,
                       std::size_t size)
    : path_(std::move(path)), reader_(std::move(reader)), data_(data), size_(size) {}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      reader_(std::move(other.reader_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(reader_, other.reader_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release_pages(std::span<const std::byte> part) const {
  if (data_ == nullptr || part.empty()) return;
  const std::size_t page = page_bytes();
  // Only pages that lie wholly inside the part: neighbours may still be in use.
  const auto offset = static_cast<std::size_t>(part.data() - data_);
  const std::size_t begin = (offset + page - 1) / page * page;
  const std::size_t end = (offset + part.size()) / page * page;
  if (begin < end) {
    ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
  }
}

Status MappedFile::load_pages(std::span<const std::byte> part) const {
  if (data_ == nullptr || part.empty()) return {};
  const std::size_t page = page_bytes();
  const auto offset = static_cast<std::size_t>(part.data() - data_);
  const std::size_t begin = offset / page * page;
  void* at = const_cast<std::byte*>(data_) + begin;
  const std::size_t bytes = offset + part.size() - begin;
  // Hints, which a system may not know. The second one reads ahead in larger pieces than a fault.
  ::madvise(at, bytes, MADV_HUGEPAGE);
  ::madvise(at, bytes, MADV_WILLNEED);
#if defined(MADV_POPULATE_READ)
  while (::madvise(at, bytes, MADV_POPULATE_READ) != 0) {
    if (errno == EINTR || errno == EAGAIN) continue;
    if (errno == EINVAL) break;  // older than Linux 5.14: pages come when they are touched
    // EFAULT stands for what touching the page would make a SIGBUS.
    const char* reason =
        errno == EFAULT ? "the file was cut, or its disk fails" : std::strerror(errno);
    return io_error("{}: cannot read bytes {} to {}: {}", path_.string(), begin, begin + bytes,
                    reason);
  }
#endif
  return {};
}

Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t max_bytes) {
  FileDescriptor fd;
  std::size_t size = 0;
  LLM_RETURN_IF_ERROR(open_regular_file(path, fd, size));
  if (size > max_bytes) {
    return corrupt_data("{}: file has {} bytes, expected at most {}", path.string(), size,
                        max_bytes);
  }
  std::string text(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(fd.value, text.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("{}: cannot read: {}", path.string(), std::strerror(errno));
    if (got == 0) break;  // the file shrank meanwhile
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

}  // namespace llm::core
