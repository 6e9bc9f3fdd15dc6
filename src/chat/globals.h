// The functions that every template can call: range, dict, namespace, cycler, joiner of Jinja, and
// raise_exception, strftime_now of Hugging Face.
#pragma once

#include "chat/object.h"

namespace llm::chat {

Mapping make_globals(Runtime& runtime);

}  // namespace llm::chat
