// Which operation tables this build has, which this processor runs, and which one would be used.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "llm/status.h"

namespace llm::offline {

struct InstructionSets {
  std::vector<std::string> built;
  std::vector<std::string> available;  ///< best first
  std::string chosen;
};

/// `forced`: a name, or empty for the best one. Errors as kernels::select_ops.
Result<InstructionSets> find_instruction_sets(std::string_view forced);

}  // namespace llm::offline
