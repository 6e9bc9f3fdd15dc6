#include "chat/arguments.h"

#include <algorithm>

#include "chat/operators.h"
#include "core/error.h"
#include "core/quote.h"

namespace llm::chat {

Result<std::vector<Value>> bind(std::string_view function, const Arguments& arguments,
                                std::initializer_list<std::string_view> names, std::size_t required,
                                bool by_name) {
  if (arguments.positional.size() > names.size()) {
    return core::invalid_argument("{}() takes at most {} arguments ({} given)", function,
                                  names.size(), arguments.positional.size());
  }
  std::vector<Value> bound(names.size());
  std::copy(arguments.positional.begin(), arguments.positional.end(), bound.begin());
  for (const auto& [name, value] : arguments.named) {
    const auto* const found = std::find(names.begin(), names.end(), name);
    if (!by_name || found == names.end()) {
      return core::invalid_argument("{}() got an unexpected keyword argument {}", function,
                                    core::quote(name, 40));
    }
    Value& place = bound[static_cast<std::size_t>(found - names.begin())];
    if (!place.is_missing()) {
      return core::invalid_argument("{}() got multiple values for argument '{}'", function, name);
    }
    place = value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (bound[i].is_missing()) {
      return core::invalid_argument("{}() needs the argument '{}'", function, names.begin()[i]);
    }
  }
  return bound;
}

Result<std::int64_t> integer_or(const Value& value, std::int64_t otherwise,
                                std::string_view function) {
  if (value.is_missing()) return otherwise;
  if (value.is_undefined()) return undefined_error(value);
  if (value.is_integral()) return value.as_integer();
  return core::invalid_argument("{}(): '{}' object cannot be interpreted as an integer", function,
                                value.type_name());
}

Result<std::string> text_or(const Value& value, std::string_view otherwise,
                            std::string_view function) {
  if (value.is_missing()) return std::string(otherwise);
  if (value.is_text()) return value.bytes();
  return core::invalid_argument("{}() argument must be str, not {}", function, value.type_name());
}

Result<bool> truth_or(const Value& value, bool otherwise) {
  if (value.is_missing()) return otherwise;
  return truth(value);
}

}  // namespace llm::chat
