// The options of commands that render a conversation: --messages, --system, --tools and the rest.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "llm/chat.h"
#include "llm/status.h"

namespace llm::cli {

struct ChatOptions {
  std::optional<std::string> messages_file;
  std::optional<std::string> tools_file;
  std::optional<std::string> documents_file;
  std::optional<std::string> template_kwargs;
  std::string template_name;
  bool continue_final_message = false;
};

/// Adds the options that stand beside --messages.
void add_chat_options(CLI::App& command, ChatOptions& options);

/// Reads the files that are named; "-" is standard input. Without --messages, the messages are left
/// empty.
Result<ChatRequest> read_chat_request(const ChatOptions& options);

}  // namespace llm::cli
