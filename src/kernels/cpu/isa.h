// Selects the vector layer of the instruction set this translation unit is compiled for. Every
// file that includes this one is compiled once per instruction set, with
//   LLM_KERNEL_ISA         its name: baseline, avx2, avx512, avx512_bf16, avx512_amx; also the
//                          innermost namespace
//   LLM_KERNEL_VEC_HEADER  its vector layer
//
// Rules for these files, so that no code compiled for a larger instruction set can be picked by the
// linker for the rest of the program (tools/check_weak.py): everything but the exported functions
// lives in an anonymous namespace, and nothing inline from another header is called.
#pragma once

#include <cstddef>
#include <cstdint>

#define LLM_INLINE inline __attribute__((always_inline))

#if !defined(LLM_KERNEL_ISA) || !defined(LLM_KERNEL_VEC_HEADER)
#error "compile this file through src/kernels/CMakeLists.txt"
#endif

#include LLM_KERNEL_VEC_HEADER

/// Unrolls the next loop, whose bounds are constants: its arrays then live in registers.
#if defined(LLM_KERNELS_ROLLED)
#define LLM_UNROLL
#elif defined(__clang__)
#define LLM_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LLM_UNROLL _Pragma("GCC unroll 16")
#endif

/// For lambdas, which would otherwise be calls in unoptimised builds.
#define LLM_LAMBDA_INLINE __attribute__((always_inline))
