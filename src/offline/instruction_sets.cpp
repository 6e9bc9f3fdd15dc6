#include "offline/instruction_sets.h"

#include "kernels/kernels.h"

namespace llm::offline {

Result<InstructionSets> find_instruction_sets(std::string_view forced) {
  LLM_ASSIGN_OR_RETURN(const kernels::Ops* chosen, kernels::select_ops(forced));
  InstructionSets sets;
  for (const std::string_view name : kernels::known_ops()) sets.built.emplace_back(name);
  for (const kernels::Ops* ops : kernels::available_ops()) sets.available.emplace_back(ops->name);
  sets.chosen = chosen->name;
  return sets;
}

}  // namespace llm::offline
