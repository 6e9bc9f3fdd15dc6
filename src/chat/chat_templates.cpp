#include "chat/chat_templates.h"

#include <fmt/format.h>

#include <algorithm>

#include "chat/final_message.h"
#include "chat/json_text.h"
#include "chat/probe.h"
#include "core/error.h"
#include "core/quote.h"

namespace llm::chat {
namespace {

// Values of a request may be nested this deep; the request itself is two levels.
constexpr core::JsonLimits kJsonLimits = {.max_depth = 62};

// A list of objects, or none when the text is empty or the list is.
Result<Value> object_list(const std::string& text, std::string_view what) {
  if (text.empty()) return Value::none();
  LLM_ASSIGN_OR_RETURN(const Value list, from_json(text, what, kJsonLimits));
  const bool objects = list.is(Value::Kind::list) &&
                       std::all_of(list.items().begin(), list.items().end(),
                                   [](const Value& item) { return item.is_mapping(); });
  if (!objects) return core::invalid_argument("{} must be a list of objects", what);
  return list.items().empty() ? Value::none() : list;
}

// Adds the further variables of a request.
Status add_kwargs(const ChatRequest& request, const Template& used, Mapping& variables,
                  std::vector<std::string>& unused) {
  if (request.template_kwargs.empty()) return {};
  LLM_ASSIGN_OR_RETURN(const Value kwargs,
                       from_json(request.template_kwargs, "chat_template_kwargs", kJsonLimits));
  if (!kwargs.is_mapping()) {
    return core::invalid_argument("chat_template_kwargs must be an object");
  }
  for (const auto& [key, value] : kwargs.as_mapping().entries()) {
    for (const char* taken : {"messages", "tools", "documents", "add_generation_prompt"}) {
      if (key.bytes() == taken) {
        return core::invalid_argument(
            "chat_template_kwargs cannot set {}: it is a field of its own", taken);
      }
    }
    if (!used.reads(key.bytes())) unused.push_back(core::printable(key.bytes(), 64));
    variables.set(key, value);
  }
  return {};
}

}  // namespace

ChatTemplates::ChatTemplates(const std::vector<TemplateSource>& sources,
                             const SpecialTokens& special_tokens) {
  for (const auto& [name, text] : special_tokens) special_tokens_.set(name, Value::text(text));
  for (const TemplateSource& source : sources) {
    Entry entry{.name = source.name};
    Result<Template> parsed = Template::parse(source.place, source.text);
    if (parsed) {
      Probe probe = probe_template(*parsed, special_tokens_);
      entry.style = probe.style;
      entry.style.developer_role = source.text.find("developer") != std::string::npos;
      entry.problem = std::move(probe.outcome);
      entry.parsed = std::move(parsed).value();
    } else {
      entry.problem = parsed.error();
    }
    entries_.push_back(std::move(entry));
  }
}

Status ChatTemplates::status() const {
  const auto chosen = choose("", false);
  if (!chosen) return chosen.error();
  // One that was parsed may work with other conversations than those that were tried.
  return (*chosen)->parsed ? Status() : (*chosen)->problem;
}

std::vector<Status> ChatTemplates::problems() const {
  std::vector<Status> found;
  for (const Entry& entry : entries_) {
    if (!entry.problem.ok()) found.push_back(entry.problem);
  }
  return found;
}

Result<const ChatTemplates::Entry*> ChatTemplates::choose(const std::string& name,
                                                          bool with_tools) const {
  const auto named = [&](std::string_view wanted) -> const Entry* {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return entry.name == wanted; });
    return found == entries_.end() ? nullptr : &*found;
  };
  if (entries_.empty()) return core::not_found("the model has no chat template");
  const Entry* chosen = nullptr;
  if (!name.empty()) {
    chosen = named(name);
  } else {
    if (with_tools) chosen = named("tool_use");
    if (chosen == nullptr) chosen = named("default");
  }
  if (chosen != nullptr) return chosen;
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(core::printable(entry.name, 40));
  return core::not_found("the model has no chat template named {}: it has {}",
                         core::quote(name.empty() ? "default" : name, 40), fmt::join(names, ", "));
}

Result<RenderedChat> ChatTemplates::render(const ChatRequest& request,
                                           const RenderOptions& options) const {
  if (request.continue_final_message && request.add_generation_prompt) {
    return core::invalid_argument(
        "continue_final_message and add_generation_prompt cannot both be true");
  }
  LLM_ASSIGN_OR_RETURN(const Value tools, object_list(request.tools, "tools"));
  LLM_ASSIGN_OR_RETURN(const Value documents, object_list(request.documents, "documents"));
  LLM_ASSIGN_OR_RETURN(const Entry* entry, choose(request.template_name, !tools.is_none()));
  if (!entry->parsed) return entry->problem;
  const Template& used = *entry->parsed;
  if (!tools.is_none() && !used.reads("tools")) {
    return core::unsupported(
        "tools cannot be used: the model's chat template has no place for them");
  }
  if (!documents.is_none() && !used.reads("documents")) {
    return core::unsupported(
        "documents cannot be used: the model's chat template has no place for them");
  }
  LLM_ASSIGN_OR_RETURN(const Value given, from_json(request.messages, "messages", kJsonLimits));
  LLM_ASSIGN_OR_RETURN(std::vector<Value> messages, normalize_messages(given, entry->style));
  std::string final_text;
  if (request.continue_final_message) {
    LLM_ASSIGN_OR_RETURN(final_text, mark_final_message(messages));
  }

  Mapping variables;
  for (const auto& [name, text] : special_tokens_.entries()) variables.set(name, text);
  RenderedChat rendered;
  LLM_RETURN_IF_ERROR(add_kwargs(request, used, variables, rendered.unused_kwargs));
  variables.set("messages", Value::list(std::move(messages)));
  variables.set("tools", tools);
  variables.set("documents", documents);
  variables.set("add_generation_prompt", Value::boolean(request.add_generation_prompt));
  LLM_ASSIGN_OR_RETURN(rendered.prompt, used.render(variables, options));
  if (request.continue_final_message) {
    LLM_RETURN_IF_ERROR(cut_after_final_message(rendered.prompt, final_text));
  }
  return rendered;
}

}  // namespace llm::chat

namespace llm {

std::string chat_messages_json(std::span<const ChatMessage> messages) {
  core::Json list = core::Json::array();
  for (const ChatMessage& message : messages) {
    list.push_back({{"role", message.role}, {"content", message.content}});
  }
  return list.dump(-1, ' ', false, core::Json::error_handler_t::replace);
}

std::string chat_messages_json(std::initializer_list<ChatMessage> messages) {
  return chat_messages_json(std::span(messages.begin(), messages.size()));
}

}  // namespace llm
