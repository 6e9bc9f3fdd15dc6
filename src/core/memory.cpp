#include "core/memory.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>

namespace llm::core {
namespace {

// A cgroup v2 file holds a number of bytes, or "max"; SIZE_MAX when absent.
std::size_t read_bytes(const char* path) {
  std::ifstream file(path);
  std::size_t bytes = 0;
  return file >> bytes ? bytes : SIZE_MAX;
}

}  // namespace

std::size_t available_memory() {
  std::size_t available = SIZE_MAX;
  std::ifstream info("/proc/meminfo");
  std::string key;
  std::size_t kib = 0;
  std::string rest;
  while (info >> key >> kib && std::getline(info, rest)) {
    if (key == "MemAvailable:") available = kib * 1024;
  }
  const std::size_t limit = read_bytes("/sys/fs/cgroup/memory.max");
  if (limit == SIZE_MAX) return available;
  const std::size_t used = read_bytes("/sys/fs/cgroup/memory.current");
  return std::min(available, used < limit ? limit - used : 0);
}

}  // namespace llm::core
