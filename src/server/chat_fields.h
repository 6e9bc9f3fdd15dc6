// The fields of a request body that make a ChatRequest, as rows of a schema. Shared by every route
// that takes messages.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/engine.h"
#include "llm/status.h"
#include "server/field_schema.h"

namespace llm::server {

// Each row keeps the text of its member of `body`, in which members are in the client's order. All
// arguments must outlive the rows.

/// `usable`: Engine::chat_status(); when it is not ok, messages are refused with what it says.
Field messages_field(ChatRequest& chat, std::string_view body, const Status& usable,
                     std::string_view default_value, std::string_view meaning);
Field tools_field(ChatRequest& chat, std::string_view body);
Field documents_field(ChatRequest& chat, std::string_view body);
Field chat_template_kwargs_field(ChatRequest& chat, std::string_view body);

/// Adds "chat_template_kwargs.name" of each unused one to `ignored`; a 400 instead when `strict`.
std::optional<HttpResponse> report_unused_kwargs(const RenderedChat& rendered, bool strict,
                                                 std::vector<std::string>& ignored);

/// 400 for what is wrong with the conversation; 500 for a defect.
HttpResponse chat_error_response(const Status& error);

/// Renders a conversation into the tokens of its prompt; an answer when it is refused. `max_chars`:
/// longest prompt, if there is a limit.
std::optional<HttpResponse> render_to_tokens(const Engine& engine, const ChatRequest& chat,
                                             std::optional<std::int64_t> max_chars, bool strict,
                                             std::vector<std::string>& ignored,
                                             std::vector<std::int32_t>& tokens);

/// Number of characters (code points) of valid UTF-8.
std::int64_t count_characters(std::string_view text);

}  // namespace llm::server
