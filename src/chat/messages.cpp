#include "chat/messages.h"

#include <fmt/core.h>

#include "chat/json_text.h"
#include "core/error.h"
#include "core/quote.h"

namespace llm::chat {
namespace {

// A list of Mapping entries to be changed: a Mapping itself only grows.
using Members = std::vector<Mapping::Entry>;

Value* find_member(Members& members, std::string_view name) {
  for (auto& [key, value] : members) {
    if (key.bytes() == name) return &value;
  }
  return nullptr;
}

void set_member(Members& members, std::string_view name, Value value) {
  if (Value* present = find_member(members, name)) {
    *present = std::move(value);
  } else {
    members.emplace_back(Value::text(std::string(name)), std::move(value));
  }
}

void erase_member(Members& members, std::string_view name) {
  std::erase_if(members, [&](const auto& entry) { return entry.first.bytes() == name; });
}

Value to_value(const Members& members) {
  Mapping mapping;
  for (const auto& [key, value] : members) mapping.set(key, value);
  return Value::mapping(std::move(mapping));
}

// The text of a part of a content.
Result<std::string> part_text(const Value& part, const std::string& place) {
  if (!part.is_mapping()) {
    return core::invalid_argument("{} must be an object with a type", place);
  }
  const Value* type = part.as_mapping().find("type");
  if (type == nullptr || !type->is_text()) {
    return core::invalid_argument("{} must have a type", place);
  }
  if (type->bytes() != "text") {
    return core::invalid_argument("{}: parts of type {} are not supported: only text is", place,
                                  core::quote(type->bytes(), 40));
  }
  const Value* text = part.as_mapping().find("text");
  if (text == nullptr || !text->is_text()) {
    return core::invalid_argument("{} must have a text", place);
  }
  return text->bytes();
}

Value one_part(const Value& text) {
  Mapping part;
  part.set("type", Value::text("text"));
  part.set("text", text);
  return Value::list({Value::mapping(std::move(part))});
}

Result<Value> content_of(const Value& content, const MessageStyle& style, bool has_calls,
                         const std::string& place) {
  const bool as_part = !style.text_content && style.part_content;
  if (content.is_missing() || content.is_none()) {
    if (has_calls && style.null_content) return Value::none();
    return as_part ? one_part(Value::text("")) : Value::text("");
  }
  if (content.is_text()) return as_part ? one_part(content) : content;
  if (!content.is(Value::Kind::list)) {
    return core::invalid_argument("{} must be text, null or a list of parts", place);
  }
  std::string joined;
  for (std::size_t i = 0; i < content.items().size(); ++i) {
    LLM_ASSIGN_OR_RETURN(const std::string text,
                         part_text(content.items()[i], fmt::format("{}[{}]", place, i)));
    if (i > 0) joined += '\n';
    joined += text;
  }
  return style.part_content ? content : Value::text(std::move(joined));
}

Result<Value> arguments_of(const Value& given, const MessageStyle& style,
                           const std::string& place) {
  Value arguments = given;
  if (given.is_text()) {
    // A call without arguments comes as an empty text from some clients.
    LLM_ASSIGN_OR_RETURN(arguments, from_json(given.bytes().empty() ? "{}" : given.bytes(), place));
  } else if (given.is_missing() || given.is_none()) {
    arguments = Value::mapping({});
  }
  if (!arguments.is_mapping()) return core::invalid_argument("{} must be a JSON object", place);
  if (!style.text_arguments) return arguments;
  if (given.is_text() && !given.bytes().empty()) return given;
  Runtime unlimited({});
  LLM_ASSIGN_OR_RETURN(std::string text, to_json(unlimited, arguments, {}));
  return Value::text(std::move(text));
}

Result<Value> tool_call(const Value& call, const MessageStyle& style, const std::string& place) {
  if (!call.is_mapping()) return core::invalid_argument("{} must be an object", place);
  Members members(call.as_mapping().entries());
  const Value* function = find_member(members, "function");
  if (function == nullptr || !function->is_mapping()) {
    return core::invalid_argument("{} must have a function", place);
  }
  Members inside(function->as_mapping().entries());
  const Value* name = find_member(inside, "name");
  if (name == nullptr || !name->is_text()) {
    return core::invalid_argument("{}.function must have a name", place);
  }
  const Value* arguments = find_member(inside, "arguments");
  LLM_ASSIGN_OR_RETURN(Value parsed, arguments_of(arguments == nullptr ? Value() : *arguments,
                                                  style, place + ".function.arguments"));
  set_member(inside, "arguments", std::move(parsed));
  set_member(members, "function", to_value(inside));
  return to_value(members);
}

// Replaces the tool calls by normalized ones; false when there are none.
Result<bool> normalize_calls(Members& members, const MessageStyle& style,
                             const std::string& place) {
  Value* calls = find_member(members, "tool_calls");
  if (calls == nullptr) return false;
  if (!calls->is(Value::Kind::list)) {
    return core::invalid_argument("{}.tool_calls must be a list", place);
  }
  if (calls->items().empty()) {
    erase_member(members, "tool_calls");
    return false;
  }
  std::vector<Value> made;
  for (std::size_t i = 0; i < calls->items().size(); ++i) {
    LLM_ASSIGN_OR_RETURN(Value call, tool_call(calls->items()[i], style,
                                               fmt::format("{}.tool_calls[{}]", place, i)));
    made.push_back(std::move(call));
  }
  *calls = Value::list(std::move(made));
  return true;
}

void name_reasoning(Members& members) {
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const Value* found = find_member(members, name);
    if (found == nullptr) continue;
    const Value reasoning = *found;
    // In front of the others, as Hugging Face has it; a template that writes whole messages shows
    // it.
    const Value* known = find_member(members, "thinking");
    Value thinking = known == nullptr ? reasoning : *known;
    erase_member(members, "thinking");
    members.insert(members.begin(), {Value::text("thinking"), std::move(thinking)});
    return set_member(members, "reasoning_content", reasoning);
  }
}

Result<Value> normalize_message(const Value& message, const MessageStyle& style,
                                const std::string& place) {
  if (!message.is_mapping()) return core::invalid_argument("{} must be an object", place);
  Members members;
  Value content;
  for (const auto& [key, value] : message.as_mapping().entries()) {
    // The content keeps its place among the members, even when it is null.
    if (!value.is_none() || key.bytes() == "content") members.emplace_back(key, value);
  }
  Value* role = find_member(members, "role");
  if (role == nullptr || !role->is_text()) {
    return core::invalid_argument("{} must have a role", place);
  }
  if (role->bytes() == "developer" && !style.developer_role) *role = Value::text("system");
  LLM_ASSIGN_OR_RETURN(const bool has_calls, normalize_calls(members, style, place));
  if (const Value* given = find_member(members, "content")) content = *given;
  LLM_ASSIGN_OR_RETURN(content, content_of(content, style, has_calls, place + ".content"));
  set_member(members, "content", std::move(content));
  name_reasoning(members);
  return to_value(members);
}

}  // namespace

Result<std::vector<Value>> normalize_messages(const Value& messages, const MessageStyle& style) {
  if (!messages.is(Value::Kind::list) || messages.items().empty()) {
    return core::invalid_argument("messages must be a list of at least one message object");
  }
  std::vector<Value> normalized;
  for (std::size_t i = 0; i < messages.items().size(); ++i) {
    LLM_ASSIGN_OR_RETURN(Value message, normalize_message(messages.items()[i], style,
                                                          fmt::format("messages[{}]", i)));
    normalized.push_back(std::move(message));
  }
  return normalized;
}

}  // namespace llm::chat
