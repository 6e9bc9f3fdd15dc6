#include "chat/functions.h"

#include <fmt/core.h>

namespace llm::chat {

const Method* find_method(const Value& self, std::string_view name) {
  switch (self.kind()) {
    case Value::Kind::text:
      return find_text_method(name);
    case Value::Kind::list:
      return find_list_method(name);
    case Value::Kind::tuple:
      return find_tuple_method(name);
    case Value::Kind::mapping:
      return find_mapping_method(name);
    default:
      return nullptr;
  }
}

Result<std::string> BoundMethod::repr(Runtime&) {
  return fmt::format("<built-in method {} of {} object>", method_.name, self_.type_name());
}

bool BoundMethod::equals(const Object& other) const {
  const auto* method = dynamic_cast<const BoundMethod*>(&other);
  return method != nullptr && &method->method_ == &method_ && method->self_.same_as(self_);
}

}  // namespace llm::chat
