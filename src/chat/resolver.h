// resolve(): gives every name of a parsed template its slot and every frame its layout, looks up
// filters and tests, and finds what Jinja's compiler would refuse.
#pragma once

#include <set>
#include <string>

#include "chat/ast.h"
#include "llm/status.h"

namespace llm::chat {

/// `variables` receives the names that the template reads from what is passed to it.
Status resolve(Program& program, std::set<std::string>& variables);

}  // namespace llm::chat
