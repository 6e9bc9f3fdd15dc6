// ChatTemplates: the templates of a model and what they are given: everything that turns a
// ChatRequest into a prompt. Immutable: used from any thread.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chat/messages.h"
#include "chat/template.h"
#include "llm/chat.h"
#include "llm/status.h"

namespace llm::chat {

struct TemplateSource {
  std::string name;   ///< "default", "tool_use", ...
  std::string place;  ///< the file or key it comes from, for errors
  std::string text;
};

/// "bos_token" -> "<s>" and the like; those that a model lacks are absent.
using SpecialTokens = std::vector<std::pair<std::string, std::string>>;

class ChatTemplates {
 public:
  ChatTemplates() = default;  ///< none
  /// Parses and tries each template. One that fails is kept with its error; that is what render()
  /// will say. Names must be unique.
  ChatTemplates(const std::vector<TemplateSource>& sources, const SpecialTokens& special_tokens);

  /// ok when there is a template that can be used without tools. Else not_found (there is none), or
  /// what is wrong with it.
  Status status() const;
  /// Of the templates that could not be parsed, or could not render the simplest conversation.
  std::vector<Status> problems() const;

  /// Errors: invalid_argument (a message or an option is wrong, or the template refuses the
  /// conversation), not_found (no template, or none of that name), unsupported (the template has no
  /// place for tools or documents), resource_exhausted.
  Result<RenderedChat> render(const ChatRequest& request, const RenderOptions& options = {}) const;

 private:
  struct Entry {
    std::string name;
    std::optional<Template> parsed;
    MessageStyle style;
    Status problem;
  };

  Result<const Entry*> choose(const std::string& name, bool with_tools) const;

  std::vector<Entry> entries_;
  Mapping special_tokens_;
};

}  // namespace llm::chat
