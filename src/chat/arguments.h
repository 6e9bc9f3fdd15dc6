// bind(): the arguments of a call in the order of a function's parameters, as Python binds them.
#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "chat/object.h"

namespace llm::chat {

/// One value per name; missing where none was given. The first `required` must be given. With
/// `by_name` false, names are for error messages only.
Result<std::vector<Value>> bind(std::string_view function, const Arguments& arguments,
                                std::initializer_list<std::string_view> names, std::size_t required,
                                bool by_name = true);

// Of an argument, or the default when it is missing. `function` and the parameter are for errors.
Result<std::int64_t> integer_or(const Value& value, std::int64_t otherwise,
                                std::string_view function);
Result<std::string> text_or(const Value& value, std::string_view otherwise,
                            std::string_view function);
Result<bool> truth_or(const Value& value, bool otherwise);

}  // namespace llm::chat
