// ChatRequest: a conversation that the model's chat template turns into a prompt
// (Engine::render_chat). Messages, tools and the like are JSON text: their members are open-ended,
// and templates write some of them out in the order in which they came.
//
//   llm::ChatRequest chat{.messages = llm::chat_messages_json({{"user", "Hello"}})};
//   auto rendered = engine->render_chat(chat);
//   request.prompt = rendered->prompt;
//   request.add_special = false;  // the template has written BOS, if there is to be one
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "llm/export.h"

namespace llm {

struct ChatRequest {
  /// Array of message objects as in OpenAI's chat API: `role`, `content` (text, null, or a list of
  /// text parts), `tool_calls`, ... Other members reach the template as they are; null ones do not.
  std::string messages;
  std::string tools;      ///< array of tool definitions; empty: none
  std::string documents;  ///< array of objects; empty: none
  /// Object with further variables for the template, e.g. {"enable_thinking": false}; empty: none.
  std::string template_kwargs;
  /// Of a model with several templates. Empty: "tool_use" when there are tools, else "default".
  std::string template_name;
  bool add_generation_prompt = true;  ///< end with what comes before the assistant's next message
  /// End inside of the last message, so that the model goes on with it; not together with
  /// add_generation_prompt.
  bool continue_final_message = false;
};

struct RenderedChat {
  std::string prompt;  ///< to be encoded without adding BOS and the like
  /// Members of template_kwargs that the template does not look at.
  std::vector<std::string> unused_kwargs;
};

struct ChatMessage {
  std::string role;
  std::string content;
};

/// ChatRequest::messages for a conversation of plain texts (valid UTF-8; other bytes become
/// U+FFFD).
LLM_API std::string chat_messages_json(std::span<const ChatMessage> messages);
LLM_API std::string chat_messages_json(std::initializer_list<ChatMessage> messages);

}  // namespace llm
