#include "core/quote.h"

#include <fmt/core.h>

namespace llm::core {

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string shown;
  for (const char character : text.substr(0, max_bytes)) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x20 && byte < 0x7f) {
      shown += character;
    } else {
      shown += fmt::format("\\x{:02x}", byte);
    }
  }
  if (text.size() > max_bytes) shown += "...";
  return shown;
}

std::string quote(std::string_view text, std::size_t max_bytes) {
  return '"' + printable(text, max_bytes) + '"';
}

}  // namespace llm::core
