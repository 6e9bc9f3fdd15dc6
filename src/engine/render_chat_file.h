// A conversation rendered with the chat template of a model, without loading its weights.
#pragma once

#include <string>

#include "llm/chat.h"
#include "llm/status.h"

namespace llm::engine {

/// `model_path`: as load_model takes it, or a directory with the tokenizer's files alone. Errors as
/// Engine::render_chat.
Result<RenderedChat> render_chat_with(const std::string& model_path, const ChatRequest& request);

}  // namespace llm::engine
