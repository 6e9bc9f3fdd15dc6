#include "server/chat_fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/json.h"

namespace llm::server {
namespace {

using core::Json;

bool is_object_list(const Json& value) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const Json& item) { return item.is_object(); });
}

// A list of objects whose text is kept.
Field object_list_field(std::string_view name, std::string_view type, std::string_view meaning,
                        std::string& target, std::string_view body) {
  return {std::string(name),
          std::string(type),
          "[]",
          "",
          std::string(meaning),
          [&target, body](const Field& field, const Json& value, FieldErrors& errors) {
            if (is_object_list(value)) {
              target = core::member_text(body, field.name);
            } else {
              errors.push_back({field.name, "type(list of objects)",
                                fmt::format("{} must be a list of objects", field.name), nullptr});
            }
          }};
}

}  // namespace

Field messages_field(ChatRequest& chat, std::string_view body, const Status& usable,
                     std::string_view default_value, std::string_view meaning) {
  return {
      "messages",
      "list of chat messages",
      std::string(default_value),
      "",
      std::string(meaning),
      [&chat, body, &usable](const Field& field, const Json& value, FieldErrors& errors) {
        if (!usable.ok()) {
          errors.push_back({field.name, "chat_template",
                            fmt::format("messages cannot be used: {}", usable.message()), nullptr});
        } else if (!is_object_list(value) || value.empty()) {
          errors.push_back({field.name, "type(list of objects)",
                            "messages must be a list of at least one message object", nullptr});
        } else {
          chat.messages = core::member_text(body, field.name);
        }
      }};
}

Field tools_field(ChatRequest& chat, std::string_view body) {
  return object_list_field("tools", "list of tool definitions",
                           "what the model may call; refused when its template has no place for "
                           "them",
                           chat.tools, body);
}

Field documents_field(ChatRequest& chat, std::string_view body) {
  return object_list_field("documents", "list of objects",
                           "texts to answer from; refused when the template has no place for them",
                           chat.documents, body);
}

Field chat_template_kwargs_field(ChatRequest& chat, std::string_view body) {
  return {"chat_template_kwargs",
          "object",
          "{}",
          "",
          "further variables for the chat template, such as `enable_thinking`; those that it does "
          "not look at are listed in `ignored`",
          [&chat, body](const Field& field, const Json& value, FieldErrors& errors) {
            if (value.is_object()) {
              chat.template_kwargs = core::member_text(body, field.name);
            } else {
              errors.push_back(type_error(field, value));
            }
          }};
}

std::optional<HttpResponse> report_unused_kwargs(const RenderedChat& rendered, bool strict,
                                                 std::vector<std::string>& ignored) {
  if (strict && !rendered.unused_kwargs.empty()) {
    return field_error_response({{"chat_template_kwargs", "known_field",
                                  fmt::format("the chat template does not look at {}",
                                              fmt::join(rendered.unused_kwargs, ", ")),
                                  nullptr}});
  }
  for (const std::string& name : rendered.unused_kwargs) {
    if (ignored.size() == kMaxIgnoredFields) break;
    ignored.push_back("chat_template_kwargs." + name);
  }
  return std::nullopt;
}

HttpResponse chat_error_response(const Status& error) {
  if (error.code() == StatusCode::internal) {
    return error_response(ApiError::internal, error.message());
  }
  return field_error_response({{"messages", "chat_template", error.message(), nullptr}});
}

std::optional<HttpResponse> render_to_tokens(const Engine& engine, const ChatRequest& chat,
                                             std::optional<std::int64_t> max_chars, bool strict,
                                             std::vector<std::string>& ignored,
                                             std::vector<std::int32_t>& tokens) {
  const Result<RenderedChat> rendered = engine.render_chat(chat);
  if (!rendered) return chat_error_response(rendered.error());
  const std::int64_t length = count_characters(rendered->prompt);
  if (max_chars && length > *max_chars) {
    return field_error_response(
        {{"messages", fmt::format("length(1..={})", *max_chars),
          fmt::format("messages must have at most {} characters once rendered (got {})", *max_chars,
                      length),
          nullptr}});
  }
  if (auto refusal = report_unused_kwargs(*rendered, strict, ignored)) return refusal;
  // The template writes BOS itself; adding it again would change the prompt.
  Result<std::vector<std::int32_t>> encoded =
      engine.tokenize(rendered->prompt, {.add_special = false});
  if (!encoded) {
    return field_error_response({{"messages", "tokenize", encoded.error().message(), nullptr}});
  }
  if (encoded->empty()) {
    return field_error_response(
        {{"messages", "chat_template", "the chat template renders them to nothing", nullptr}});
  }
  tokens = std::move(encoded).value();
  return std::nullopt;
}

std::int64_t count_characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

}  // namespace llm::server
