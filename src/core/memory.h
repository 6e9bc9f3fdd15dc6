// Memory of the machine and of this process, as Linux reports them: what may still be taken (the
// control groups of both versions included) and what is resident.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace llm::core {

/// What this process may still take, and what bounds it.
struct AvailableMemory {
  std::size_t bytes = 0;    ///< the least of the bounds below
  std::size_t machine = 0;  ///< without swapping, as the kernel estimates it (MemAvailable)
  /// Limit of the control group that leaves least, its ancestors included; SIZE_MAX: none.
  std::size_t cgroup_limit = SIZE_MAX;
  std::size_t cgroup_used = 0;  ///< by that group, without cached file pages: they can be dropped

  /// "N bytes (machine: M; control group: limit L, used U)".
  std::string describe() const;
};

/// `root`: where /proc and /sys are looked up; another than "/" in tests.
AvailableMemory available_memory(const std::filesystem::path& root = "/");

/// Resident memory of this process.
struct ResidentMemory {
  std::size_t anonymous = 0;
  std::size_t file = 0;  ///< pages of mapped files, the program and its libraries among them
};
ResidentMemory resident_memory();

/// Bytes that malloc has handed out and that were not freed; 0 where the C library does not tell.
std::size_t heap_bytes();
/// Gives memory that malloc holds but nobody uses back to the system, where the C library can.
void release_free_heap();

}  // namespace llm::core
