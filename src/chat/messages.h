// Messages of a chat request, checked and brought into the form that the model's template expects.
#pragma once

#include <string>
#include <vector>

#include "chat/value.h"
#include "llm/status.h"

namespace llm::chat {

/// What a template can do with messages; found out by trying (probe.h).
struct MessageStyle {
  bool text_content = true;     ///< a content that is text
  bool part_content = false;    ///< a content that is a list of parts
  bool null_content = false;    ///< a content of null beside tool calls
  bool text_arguments = false;  ///< arguments of tool calls as JSON text, not as an object
  bool developer_role = false;  ///< knows it; otherwise it is called "system"
};

/// `messages`: a list of objects with a `role`. Errors (invalid_argument) name the place, as in
/// "messages[2].content[0]".
///  - Text parts are joined with line ends, or text becomes a part, where the template needs it.
///  Parts
///    that are not text are refused.
///  - A content of null (or none) stays null where the template copes with that, and beside tool
///  calls
///    only; else it is empty text.
///  - Arguments of tool calls that come as text are parsed. An empty list of tool calls goes.
///  - Other members that are null go. `reasoning_content`, `thinking` and `reasoning` name the
///  same:
///    the first becomes `reasoning_content`, and `thinking` where that is missing.
Result<std::vector<Value>> normalize_messages(const Value& messages, const MessageStyle& style);

}  // namespace llm::chat
