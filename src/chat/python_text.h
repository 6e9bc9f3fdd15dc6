// How Python writes values as text: str(), repr(), and the repr of floats.
#pragma once

#include <string>
#include <string_view>

#include "chat/object.h"
#include "chat/value.h"

namespace llm::chat {

/// Python's str(): text as it is, Undefined as nothing, everything else as repr().
Result<std::string> to_text(Runtime& runtime, const Value& value);
Result<std::string> repr(Runtime& runtime, const Value& value);

/// The shortest decimal that reads back as the same number: "1.0", "1e-05", "inf".
std::string float_repr(double value);
/// A string in quotes, with what cannot be printed escaped.
std::string text_repr(std::string_view text);

}  // namespace llm::chat
