// The tables of this folder. Those of larger instruction sets exist in x86-64 builds only and must
// not be called on a processor without them.
#pragma once

#include "kernels/kernels.h"

namespace llm::kernels::cpu {

namespace baseline {
extern const Ops kOps;
}
namespace avx2 {
extern const Ops kOps;
}
namespace avx512 {
extern const Ops kOps;
}
namespace avx512_bf16 {
extern const Ops kOps;
}
const Ops& avx512_amx_ops();

}  // namespace llm::kernels::cpu
