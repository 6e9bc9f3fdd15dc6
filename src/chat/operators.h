// Python's operators. Errors say what Python's would: the types that do not go together, a division
// by zero. Integers have 64 bits; what would be longer is an error.
#pragma once

#include "chat/ast.h"
#include "chat/object.h"
#include "chat/value.h"

namespace llm::chat {

Result<bool> truth(const Value& value);

Result<Value> arithmetic(Runtime& runtime, ArithmeticExpression::Operator op, const Value& left,
                         const Value& right);
Result<Value> negate(const Value& value);
Result<Value> plus(const Value& value);

Result<bool> compare(Runtime& runtime, CompareExpression::Operator op, const Value& left,
                     const Value& right);
/// left < right
Result<bool> less(Runtime& runtime, const Value& left, const Value& right);
Result<bool> contains(Runtime& runtime, const Value& container, const Value& item);

/// The error of an operation on an undefined value.
Status undefined_error(const Value& value);

/// Stable; keys[i] is what items[i] is sorted by.
Result<std::vector<Value>> sorted(Runtime& runtime, std::vector<Value> items,
                                  const std::vector<Value>& keys, bool reverse);

}  // namespace llm::chat
