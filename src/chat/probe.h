// Tries a template on small conversations, to find out what forms of messages it can do with.
#pragma once

#include <string>

#include "chat/messages.h"
#include "chat/template.h"

namespace llm::chat {

struct Probe {
  MessageStyle style;
  /// ok when some conversation of a user's message alone, with a system message or with an answer
  /// could be rendered; else the error of the first.
  Status outcome;
};

/// `variables`: what every rendering is given, such as bos_token.
Probe probe_template(const Template& tested, const Mapping& variables);

}  // namespace llm::chat
