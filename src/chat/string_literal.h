// The escapes of string literals in templates, which are those of Python.
#pragma once

#include <string>
#include <string_view>

namespace llm::chat {

/// Appends the text that `literal`, without its quotes, stands for; returns what is wrong with it,
/// or an empty string.
std::string unescape(std::string_view literal, std::string& out);

}  // namespace llm::chat
