// continue_final_message: where the text of the last message ends in a rendered prompt. As Hugging
// Face does it: the text is rendered with a mark behind it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chat/value.h"
#include "llm/status.h"

namespace llm::chat {

/// Puts the mark behind the text of the last message (behind its last text part), which is
/// returned.
Result<std::string> mark_final_message(std::vector<Value>& messages);

/// Drops the mark and what follows it; also the white space before it, when the template had taken
/// away the white space behind it. An error when the message is not in the prompt.
Status cut_after_final_message(std::string& prompt, std::string_view final_text);

}  // namespace llm::chat
