// What the files of the avx512_amx table export to each other. Included after isa.h.
#pragma once

#include "kernels/kernels.h"

namespace llm::kernels::cpu::LLM_KERNEL_ISA {

/// bf16 weights in the panels of kernels/cpu/layout.h, activations in pairs of bf16; any number of
/// tokens. `scratch` holds matmul_bf16_scratch_bytes.
void matmul_bf16(const MatmulArgs& args, std::int64_t panel_begin, std::int64_t panel_end,
                 std::byte* scratch);
std::size_t matmul_bf16_scratch_bytes();

}  // namespace llm::kernels::cpu::LLM_KERNEL_ISA
