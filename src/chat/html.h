// HTML escaping (markupsafe's): & < > ' " as entities.
#pragma once

#include <string>
#include <string_view>

#include "chat/value.h"

namespace llm::chat {

std::string escape_html(std::string_view text);
/// Markup stays as it is.
std::string escape_html(const Text& text);

}  // namespace llm::chat
