// Which tables this build has, which of them this processor runs, and the choice among them.
#include <fmt/ranges.h>

#include "core/cpu_features.h"
#include "core/error.h"
#include "kernels/cpu/tables.h"
#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

namespace llm::kernels {
namespace {

struct Candidate {
  const Ops* ops;
  bool runs_here;
};

/// All tables of this build, best first.
std::vector<Candidate> candidates() {
  std::vector<Candidate> tables;
#if defined(LLM_KERNELS_X86)
  // The avx512 kernels use VNNI; older AVX-512 processors run the avx2 ones.
  const core::CpuFeatures& has = core::cpu_features();
  const bool avx512 = has.avx512 && has.avx512_vnni;
  tables.push_back({&cpu::avx512::kOps, avx512});
  const Candidate avx512_bf16 = {&cpu::avx512_bf16::kOps, avx512 && has.avx512_bf16};
  tables.insert(has.avx512_bf16_fast ? tables.begin() : tables.end(), avx512_bf16);
  tables.insert(tables.begin(), {&cpu::avx512_amx_ops(), has.amx});
  tables.push_back({&cpu::avx2::kOps, has.avx2});
#endif
  tables.push_back({&cpu::baseline::kOps, true});
  tables.push_back({&ref::kOps, true});
  return tables;
}

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
