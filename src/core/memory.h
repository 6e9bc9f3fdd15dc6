// How much memory this process may still take. Linux: MemAvailable, cut by the cgroup limit.
#pragma once

#include <cstddef>

namespace llm::core {

/// Bytes that can be allocated without swapping, as the kernel estimates it now.
std::size_t available_memory();

}  // namespace llm::core
