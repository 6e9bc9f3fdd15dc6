// CpuFeatures: which instruction-set extensions this processor and operating system offer,
// detected once. Kernels, and the passes over logits (sampling/weigh.cpp), are chosen by it; nothing
// else should ask.
#pragma once

#include <string>

namespace llm::core {

struct CpuFeatures {
  bool avx2 = false;    ///< AVX2 with FMA and F16C
  bool avx512 = false;  ///< AVX-512 F, BW, DQ, VL
  bool avx512_vnni = false;
  bool avx512_bf16 = false;
  /// VDPBF16PS does more multiply-adds per cycle than f32 FMA: on AMD processors. On Intel's it
  /// takes two cycles, so that FMA on widened values is twice as fast.
  bool avx512_bf16_fast = false;
  bool amx = false;  ///< AMX tiles with products of bf16
};

const CpuFeatures& cpu_features();

/// Processor name as the system reports it, e.g. "AMD EPYC 9R14".
std::string cpu_model_name();

}  // namespace llm::core
