#include "chat/object.h"

#include "core/error.h"

namespace llm::chat {

Runtime::~Runtime() {
  for (const auto& object : owned) object->clear();
}

Result<Value> Object::call(Runtime&, const Arguments&) {
  return core::invalid_argument("'{}' object is not callable", type_name());
}

Result<Value> Object::attribute(Runtime&, std::string_view) { return Value(); }

}  // namespace llm::chat
