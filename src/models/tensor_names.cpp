#include "models/tensor_names.h"

namespace llm::models {

namespace {

std::string numbered(std::string name, std::string_view placeholder, std::int64_t index) {
  if (const auto place = name.find(placeholder); place != std::string::npos) {
    name.replace(place, placeholder.size(), std::to_string(index));
  }
  return name;
}

}  // namespace

std::string at_layer(std::string_view pattern, std::int64_t layer) {
  return numbered(std::string(pattern), "{}", layer);
}

std::string of_expert(std::string name, std::int64_t expert) {
  return numbered(std::move(name), "{e}", expert);
}

std::string of_head(std::string name, std::int64_t head) {
  return numbered(std::move(name), "{h}", head);
}

}  // namespace llm::models
