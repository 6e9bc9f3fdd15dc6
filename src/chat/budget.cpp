#include "chat/budget.h"

#include "core/error.h"

namespace llm::chat {

Status Budget::status() const {
  if (out_of_steps_) {
    return core::resource_exhausted("the template takes more than {} steps", limits_.steps);
  }
  if (out_of_memory_) {
    return core::resource_exhausted("the template's values take more than {} bytes",
                                    limits_.memory_bytes);
  }
  if (too_nested_) {
    return core::resource_exhausted("values are nested deeper than {} levels",
                                    limits_.value_nesting);
  }
  return {};
}

}  // namespace llm::chat
