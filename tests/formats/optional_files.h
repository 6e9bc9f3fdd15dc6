// Real model files that are too large for the repository: looked for below $LLM_TEST_FILES, else in
// a folder "shared" in or beside the source tree. Tests that need one skip, visibly, without it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace llm {

inline std::optional<std::filesystem::path> optional_file(const std::filesystem::path& name) {
  const std::filesystem::path source(LLM_SOURCE_DIR);
  std::filesystem::path roots[] = {source / "shared", source.parent_path() / "shared"};
  if (const char* root = std::getenv("LLM_TEST_FILES"); root != nullptr) roots[0] = roots[1] = root;
  for (const std::filesystem::path& root : roots) {
    std::error_code ignored;
    if (std::filesystem::exists(root / name, ignored)) return root / name;
  }
  return std::nullopt;
}

}  // namespace llm
