#include "engine/render_chat_file.h"

#include <filesystem>

#include "engine/load_chat_templates.h"

namespace llm::engine {

Result<RenderedChat> render_chat_with(const std::string& model_path, const ChatRequest& request) {
  LLM_ASSIGN_OR_RETURN(const chat::ChatTemplates templates,
                       load_chat_templates(std::filesystem::path(model_path)));
  return templates.render(request);
}

}  // namespace llm::engine
