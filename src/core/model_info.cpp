#include "llm/model_info.h"

namespace llm {

EosTokens::EosTokens(std::int32_t primary, std::vector<std::int32_t> ids) {
  std::erase_if(ids, [](std::int32_t id) { return id < 0; });
  if (primary < 0 && !ids.empty()) primary = ids.front();
  if (primary < 0) return;
  primary_ = primary;
  ids.push_back(primary);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  ids_ = std::move(ids);
}

}  // namespace llm
