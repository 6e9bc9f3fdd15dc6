// Python's % operator on strings: '%s has %5.2f' % (name, number).
#pragma once

#include "chat/object.h"
#include "chat/value.h"

namespace llm::chat {

/// `values`: a tuple, or one value, or a dict for '%(name)s'.
Result<Value> percent_format(Runtime& runtime, const Value& format, const Value& values);

}  // namespace llm::chat
