#include "cli/chat_options.h"

#include "cli/input.h"

namespace llm::cli {
namespace {

Result<std::string> read_source(const std::optional<std::string>& file) {
  if (!file) return std::string();
  if (*file == "-") return read_stdin();
  return text_file_or_stdin(std::nullopt, file);
}

}  // namespace

void add_chat_options(CLI::App& command, ChatOptions& options) {
  command
      .add_option("--messages", options.messages_file,
                  "JSON list of chat messages, rendered with the model's template; - = stdin")
      ->type_name("FILE");
  command.add_option("--tools", options.tools_file, "JSON list of tool definitions; - = stdin")
      ->type_name("FILE");
  command.add_option("--documents", options.documents_file, "JSON list of documents; - = stdin")
      ->type_name("FILE");
  command
      .add_option("--template-kwargs", options.template_kwargs,
                  "JSON object of variables for the template, e.g. {\"enable_thinking\": false}")
      ->type_name("JSON");
  command
      .add_option("--template-name", options.template_name,
                  "Of a model with several; absent = tool_use with tools, else default")
      ->type_name("NAME");
  command.add_flag("--continue", options.continue_final_message,
                   "Go on with the last message instead of answering it");
}

Result<ChatRequest> read_chat_request(const ChatOptions& options) {
  ChatRequest request;
  LLM_ASSIGN_OR_RETURN(request.messages, read_source(options.messages_file));
  LLM_ASSIGN_OR_RETURN(request.tools, read_source(options.tools_file));
  LLM_ASSIGN_OR_RETURN(request.documents, read_source(options.documents_file));
  request.template_kwargs = options.template_kwargs.value_or("");
  request.template_name = options.template_name;
  request.continue_final_message = options.continue_final_message;
  request.add_generation_prompt = !options.continue_final_message;
  return request;
}

}  // namespace llm::cli
