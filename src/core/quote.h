// quote(): untrusted text (a tensor name, a key) as it appears in an error message: in quotes, one
// line, printable ASCII, bounded in length. Every other byte becomes \xNN.
#pragma once

#include <string>
#include <string_view>

namespace llm::core {

/// At most `max_bytes` of `text` are shown, "..." stands for the rest.
std::string quote(std::string_view text, std::size_t max_bytes = 80);

/// The same without the quotes.
std::string printable(std::string_view text, std::size_t max_bytes = 80);

}  // namespace llm::core
