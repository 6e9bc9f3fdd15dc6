#include "models/tensor_names.h"

namespace llm::models {

std::string at_layer(std::string_view pattern, std::int64_t layer) {
  std::string name(pattern);
  if (const auto place = name.find("{}"); place != std::string::npos) {
    name.replace(place, 2, std::to_string(layer));
  }
  return name;
}

}  // namespace llm::models
