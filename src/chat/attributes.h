// What `x.name`, `x[index]` and `x[start:stop]` are, by the rules of Jinja's sandboxed environment:
// an attribute first and an item second, or the other way round; Undefined when there is neither,
// or when the sandbox forbids the attribute.
#pragma once

#include <string_view>

#include "chat/object.h"
#include "chat/value.h"

namespace llm::chat {

Result<Value> get_attribute(Runtime& runtime, const Value& object, std::string_view name);
Result<Value> get_item(Runtime& runtime, const Value& object, const Value& index);
/// Absent bounds are missing values.
Result<Value> get_slice(Runtime& runtime, const Value& object, const Value& start,
                        const Value& stop, const Value& step);

/// A Python attribute alone: no item of a dict.
Result<Value> get_attribute_only(Runtime& runtime, const Value& object, std::string_view name);

/// The attribute that Jinja's filters mean by "a.b.0": items of items. Integers name one item.
/// `otherwise` (unless missing or none) stands for whatever is undefined on the way.
Result<Value> follow_path(Runtime& runtime, const Value& object, const Value& path,
                          const Value& otherwise = {});

}  // namespace llm::chat
