// What this machine can do at most, measured: how fast its threads together read memory, and how
// fast they do the innermost instruction of the matrix product. What a model achieves is reported
// beside these.
#pragma once

#include "core/thread_pool.h"
#include "kernels/kernels.h"
#include "llm/status.h"

namespace llm::engine {

/// Bytes per second that all threads of the pool read together from a buffer larger than the
/// caches. Needs that much free memory: a quarter of it at most.
Result<double> measure_read_bandwidth(core::ThreadPool& pool);

/// Multiply and add operations per second of all threads together.
double measure_peak_operations(const kernels::Ops& ops, kernels::InputFormat format,
                               core::ThreadPool& pool);

}  // namespace llm::engine
