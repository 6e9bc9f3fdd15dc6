#include "formats/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace llm::formats {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

// A file without a name vanishes with the process, however that ends. -1 where the file system has
// none, or where it could not be given a name later.
int open_nameless(const std::filesystem::path& path) {
#if defined(O_TMPFILE)
  if (::access("/proc/self/fd", X_OK) == 0) {
    const std::filesystem::path directory = path.has_parent_path() ? path.parent_path() : ".";
    return ::open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  }
#endif
  static_cast<void>(path);
  return -1;
}

}  // namespace

Result<OutputFile> OutputFile::create(const std::filesystem::path& path) {
  static std::atomic<unsigned> counter{0};
  std::filesystem::path temporary = path;
  temporary += fmt::format(".partial-{}-{}", ::getpid(), counter.fetch_add(1));
  if (const int nameless = open_nameless(path); nameless >= 0) {
    return OutputFile(path, std::move(temporary), nameless, /*named=*/false);
  }
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    return core::io_error("{}: cannot create: {}", path.string(),
                          std::generic_category().message(errno));
  }
  return OutputFile(path, std::move(temporary), descriptor, /*named=*/true);
}

OutputFile::OutputFile(std::filesystem::path path, std::filesystem::path temporary, int descriptor,
                       bool named)
    : path_(std::move(path)),
      temporary_(std::move(temporary)),
      descriptor_(descriptor),
      named_(named) {
  buffer_.reserve(kBufferBytes);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      named_(other.named_),
      buffer_(std::move(other.buffer_)) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(named_, other.named_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

OutputFile::~OutputFile() { discard(); }

void OutputFile::discard() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (named_) ::unlink(temporary_.c_str());
  descriptor_ = -1;
}

Status OutputFile::failed(const char* what, int error) const {
  const std::string reason = std::generic_category().message(error);
  if (error == ENOSPC || error == EDQUOT) {
    return core::resource_exhausted("{}: {}: {}", path_.string(), what, reason);
  }
  return core::io_error("{}: {}: {}", path_.string(), what, reason);
}

Status OutputFile::write_through(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      discard();
      return failed("cannot write", error);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Status OutputFile::flush() {
  const Status status = write_through(buffer_);
  buffer_.clear();
  return status;
}

Status OutputFile::write(std::span<const std::byte> bytes) {
  if (descriptor_ < 0) return core::io_error("{}: an earlier write failed", path_.string());
  if (bytes.size() > kBufferBytes - buffer_.size()) LLM_RETURN_IF_ERROR(flush());
  if (bytes.size() >= kBufferBytes) return write_through(bytes);
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return {};
}

Status OutputFile::commit() {
  if (descriptor_ < 0) return core::io_error("{}: an earlier write failed", path_.string());
  LLM_RETURN_IF_ERROR(flush());
  // Some file systems report a full disk only here or at close.
  int error = ::fsync(descriptor_) != 0 && errno != EINVAL ? errno : 0;
  if (error == 0 && !named_) {
    const std::string nameless = fmt::format("/proc/self/fd/{}", descriptor_);
    named_ =
        ::linkat(AT_FDCWD, nameless.c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW) == 0;
    if (!named_) error = errno;
  }
  if (::close(descriptor_) != 0 && error == 0) error = errno;
  descriptor_ = -1;
  if (error == 0 && std::rename(temporary_.c_str(), path_.c_str()) != 0) error = errno;
  if (error == 0) return {};
  if (named_) ::unlink(temporary_.c_str());
  return failed("cannot write", error);
}

}  // namespace llm::formats
