// The filters of Jinja, with `tojson` as Hugging Face redefines it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "chat/object.h"

namespace llm::chat {

struct Filter {
  std::string_view name;
  Result<Value> (*apply)(Runtime& runtime, const Value& input, const Arguments& arguments);
};

/// Null when there is none of that name.
const Filter* find_filter(std::string_view name);
/// The error for a name that find_filter does not know.
std::string unknown_filter(std::string_view name);

// The groups that find_filter looks in.
std::span<const Filter> text_filters();
std::span<const Filter> value_filters();
std::span<const Filter> sequence_filters();
std::span<const Filter> selection_filters();

}  // namespace llm::chat
