#include "offline/architectures.h"

#include <algorithm>

#include "models/spec.h"

namespace llm::offline {

std::vector<ArchitectureNames> list_architectures() {
  std::vector<ArchitectureNames> list;
  for (const models::ArchSpec* spec : models::all_specs()) {
    list.push_back({spec->family, spec->model_type, spec->hf_class, spec->gguf_architecture});
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
    return std::pair(a.family, a.model_type) < std::pair(b.family, b.model_type);
  });
  return list;
}

}  // namespace llm::offline
