// The architectures of this build, by the names that files have for them.
#pragma once

#include <string_view>
#include <vector>

namespace llm::offline {

struct ArchitectureNames {
  std::string_view family;             ///< what ModelCapabilities reports
  std::string_view model_type;         ///< `model_type` in config.json
  std::string_view hf_class;           ///< `architectures` in config.json
  std::string_view gguf_architecture;  ///< empty: GGUF files of it carry another one's name
};

/// In alphabetical order of their families.
std::vector<ArchitectureNames> list_architectures();

}  // namespace llm::offline
