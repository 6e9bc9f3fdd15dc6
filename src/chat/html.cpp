#include "chat/html.h"

namespace llm::chat {

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string escape_html(const Text& text) {
  return text.is_markup ? text.bytes : escape_html(std::string_view(text.bytes));
}

}  // namespace llm::chat
