#include "chat/filters.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/quote.h"

namespace llm::chat {

const Filter* find_filter(std::string_view name) {
  for (const auto filters :
       {text_filters(), value_filters(), sequence_filters(), selection_filters()}) {
    const auto found = std::find_if(filters.begin(), filters.end(),
                                    [&](const Filter& filter) { return filter.name == name; });
    if (found != filters.end()) return &*found;
  }
  return nullptr;
}

std::string unknown_filter(std::string_view name) {
  for (const char* known :
       {"filesizeformat", "pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr"}) {
    if (name == known) return fmt::format("the filter '{}' is not supported", name);
  }
  return fmt::format("there is no filter {}", core::quote(name, 40));
}

}  // namespace llm::chat
