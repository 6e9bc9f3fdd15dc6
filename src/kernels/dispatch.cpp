// Which tables this build has, which of them this processor runs, and the choice among them.
#include <fmt/ranges.h>

#include "core/cpu_features.h"
#include "core/error.h"
#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

namespace llm::kernels {
namespace {

struct Candidate {
  const Ops* ops;
  bool runs_here;
};

/// All tables of this build, best first.
std::vector<Candidate> candidates() { return {{&ref::kOps, true}}; }

}  // namespace

const std::vector<const Ops*>& available_ops() {
  static const std::vector<const Ops*> available = [] {
    std::vector<const Ops*> runnable;
    for (const Candidate& candidate : candidates()) {
      if (candidate.runs_here) runnable.push_back(candidate.ops);
    }
    return runnable;
  }();
  return available;
}

std::vector<std::string_view> known_ops() {
  std::vector<std::string_view> names;
  for (const Candidate& candidate : candidates()) names.push_back(candidate.ops->name);
  return names;
}

Result<const Ops*> select_ops(std::string_view name) {
  if (name.empty()) return available_ops().front();
  for (const Candidate& candidate : candidates()) {
    if (candidate.ops->name != name) continue;
    if (candidate.runs_here) return candidate.ops;
    return core::unsupported("instruction set {}: not offered by this processor ({})", name,
                             core::cpu_model_name());
  }
  return core::invalid_argument("instruction set {}: unknown, expected one of {}", name,
                                fmt::join(known_ops(), ", "));
}

}  // namespace llm::kernels
