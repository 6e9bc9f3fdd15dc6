#include "chat/ast.h"

#include <algorithm>

namespace llm::chat {

int FrameLayout::find(std::string_view name) const {
  const auto found = std::find_if(variables.begin(), variables.end(),
                                  [&](const Variable& variable) { return variable.name == name; });
  return found == variables.end() ? -1 : static_cast<int>(found - variables.begin());
}

}  // namespace llm::chat
