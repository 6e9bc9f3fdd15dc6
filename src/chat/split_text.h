// Splitting, stripping, replacing and padding text, shared by str's methods and the filters.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "chat/object.h"

namespace llm::chat {

/// At runs of white space; at most `most` splits when that is not negative.
std::vector<Value> split_space(Runtime& runtime, std::string_view text, std::int64_t most,
                               bool from_right);
/// At a separator that is not empty.
std::vector<Value> split_at(Runtime& runtime, std::string_view text, std::string_view separator,
                            std::int64_t most, bool from_right);
/// At line ends, with or without them; none for an empty text.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

/// Without white space, or without the characters of `chars`, at the chosen ends. `chars`: text, or
/// none or missing for white space.
Result<Value> strip_text(Runtime& runtime, const Value& text, const Value& chars, bool left,
                         bool right);
/// At most `most` replacements when that is not negative.
Result<Value> replace_text(Runtime& runtime, std::string_view text, std::string_view old,
                           std::string_view with, std::int64_t most);
/// To a width in code points; `align` says where the text goes: < > or ^.
Result<Value> pad_text(Runtime& runtime, const Value& text, std::int64_t width,
                       std::string_view fill, char align);

}  // namespace llm::chat
