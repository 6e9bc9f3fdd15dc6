// Parses the source of a template by Jinja's grammar, without the tags that need other templates
// (include, import, extends, block) and with those that Hugging Face adds (break, continue,
// generation).
#pragma once

#include <memory>
#include <string_view>

#include "chat/ast.h"
#include "llm/status.h"

namespace llm::chat {

/// The names in the tree are not resolved yet: see resolve() in symbols.h. Errors begin with
/// "line N: ".
Result<std::unique_ptr<Program>> parse(std::string_view source);

}  // namespace llm::chat
