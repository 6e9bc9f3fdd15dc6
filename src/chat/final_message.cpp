#include "chat/final_message.h"

#include "chat/unicode.h"
#include "core/error.h"

namespace llm::chat {
namespace {

constexpr std::string_view kMark = "CONTINUE_FINAL_MESSAGE_TAG ";

Value with_member(const Mapping& mapping, std::string_view name, Value value) {
  Mapping changed;
  for (const auto& [key, old] : mapping.entries()) changed.set(key, old);
  changed.set(name, std::move(value));
  return Value::mapping(std::move(changed));
}

}  // namespace

Result<std::string> mark_final_message(std::vector<Value>& messages) {
  const Mapping& last = messages.back().as_mapping();
  const Value content = *last.find("content");
  if (content.is_text()) {
    std::string text = content.bytes();
    messages.back() = with_member(last, "content", Value::text(text + std::string(kMark)));
    return text;
  }
  if (content.is(Value::Kind::list) && !content.items().empty()) {
    std::vector<Value> parts = content.items();
    const Mapping& part = parts.back().as_mapping();
    std::string text = part.find("text")->bytes();
    parts.back() = with_member(part, "text", Value::text(text + std::string(kMark)));
    messages.back() = with_member(last, "content", Value::list(std::move(parts)));
    return text;
  }
  return core::invalid_argument("continue_final_message: the last message has no text");
}

Status cut_after_final_message(std::string& prompt, std::string_view final_text) {
  const std::string_view mark = strip_right(kMark);
  const std::size_t at = prompt.rfind(mark);
  if (at == std::string::npos ||
      prompt.find(strip_left(strip_right(final_text))) == std::string::npos) {
    return core::invalid_argument(
        "continue_final_message: the last message does not appear as it is in the rendered prompt");
  }
  const bool keeps_space = std::string_view(prompt).substr(at).starts_with(kMark);
  prompt.resize(at);
  if (!keeps_space) prompt.resize(strip_right(prompt).size());
  return {};
}

}  // namespace llm::chat
