#include "cli/input.h"

#include <cstdio>

#include "core/error.h"
#include "core/mapped_file.h"

namespace llm::cli {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{256} << 20;

}  // namespace

Result<std::string> read_stdin() {
  std::string text;
  char buffer[1 << 16];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, stdin)) {
    text.append(buffer, count);
    if (text.size() > kMaxBytes) {
      return core::invalid_argument("standard input is longer than {} bytes", kMaxBytes);
    }
  }
  if (std::ferror(stdin) != 0) return core::io_error("standard input could not be read");
  return text;
}

Result<std::string> text_or_stdin(const std::optional<std::string>& text) {
  if (text) return *text;
  return read_stdin();
}

Result<std::string> text_file_or_stdin(const std::optional<std::string>& text,
                                       const std::optional<std::string>& file) {
  if (!file) return text_or_stdin(text);
  return core::read_text_file(*file, kMaxBytes);
}

}  // namespace llm::cli
