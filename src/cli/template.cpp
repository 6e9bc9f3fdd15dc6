// template: renders a conversation with a model's chat template and prints the prompt.
#include <fmt/core.h>

#include <cstdio>

#include "cli/chat_options.h"
#include "cli/command.h"
#include "core/json.h"
#include "engine/render_chat_file.h"

namespace llm::cli {
namespace {

struct TemplateOptions {
  std::string model;
  ChatOptions chat;
  bool no_generation_prompt = false;
  bool json = false;
};

Status print_rendered(const TemplateOptions& options) {
  LLM_ASSIGN_OR_RETURN(ChatRequest request, read_chat_request(options.chat));
  if (options.no_generation_prompt) request.add_generation_prompt = false;
  LLM_ASSIGN_OR_RETURN(const RenderedChat rendered,
                       engine::render_chat_with(options.model, request));
  if (options.json) {
    core::Json json = {{"prompt", rendered.prompt}};
    if (!rendered.unused_kwargs.empty()) json["unused_kwargs"] = rendered.unused_kwargs;
    fmt::print("{}\n", json.dump());
    return {};
  }
  for (const std::string& name : rendered.unused_kwargs) {
    fmt::print(stderr, "warning: the template does not look at {}\n", name);
  }
  // Exactly the prompt: no final newline.
  std::fwrite(rendered.prompt.data(), 1, rendered.prompt.size(), stdout);
  return {};
}

}  // namespace

void add_template_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<TemplateOptions>();
  CLI::App* command = app.add_subcommand(
      "template", "Renders chat messages with a model's template and prints the prompt.");
  command
      ->add_option("--model", options->model,
                   "Hugging Face directory, or a GGUF file; its weights are not read")
      ->required()
      ->type_name("PATH");
  add_chat_options(*command, options->chat);
  command->get_option("--messages")->required();
  command->add_flag("--no-generation-prompt", options->no_generation_prompt,
                    "Leave out what comes before the assistant's next message");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &exit_code] { exit_code = report(print_rendered(*options)); });
}

}  // namespace llm::cli
