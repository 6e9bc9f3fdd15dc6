#include "core/memory.h"

#include <fmt/core.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <string_view>

namespace llm::core {
namespace {

namespace fs = std::filesystem;

// The first number of a file; SIZE_MAX when there is none ("max" in control groups).
std::size_t read_number(const fs::path& path) {
  std::ifstream file(path);
  std::size_t number = 0;
  return file >> number ? number : SIZE_MAX;
}

// Lines "Key: 123 kB" of a file in /proc, in bytes.
std::map<std::string, std::size_t> read_kib_table(const fs::path& path) {
  std::map<std::string, std::size_t> table;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t digit = line.find_first_of("0123456789", colon);
    if (digit == std::string::npos || !line.ends_with("kB")) continue;
    table[line.substr(0, colon)] = std::strtoull(line.c_str() + digit, nullptr, 10) * 1024;
  }
  return table;
}

// The two layouts of a memory control group.
struct CgroupFiles {
  std::string_view mount;  // below /sys/fs/cgroup
  std::string_view limit, used;
  std::string_view inactive, active;  // keys in memory.stat, of the whole subtree
};
constexpr CgroupFiles kVersion1 = {"memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                   "total_inactive_file", "total_active_file"};
constexpr CgroupFiles kVersion2 = {"", "memory.max", "memory.current", "inactive_file",
                                   "active_file"};

// Pages of files that the group has read count as used by it, but give way when it needs memory.
std::size_t droppable_bytes(const fs::path& group, const CgroupFiles& files) {
  std::ifstream stat(group / "memory.stat");
  std::size_t sum = 0;
  std::string key;
  for (std::size_t bytes = 0; stat >> key >> bytes;) {
    if (key == files.inactive || key == files.active) sum += bytes;
  }
  return sum;
}

// Takes over the bound of one group where it is tighter.
void apply_group(const fs::path& group, const CgroupFiles& files, AvailableMemory& memory) {
  const std::size_t limit = read_number(group / files.limit);
  const std::size_t current = read_number(group / files.used);
  // Version 1 writes "no limit" as a number close to 2^63.
  if (limit >= std::size_t{1} << 62U || current == SIZE_MAX) return;
  const std::size_t used = current - std::min(current, droppable_bytes(group, files));
  const std::size_t left = limit - std::min(limit, used);
  if (memory.cgroup_limit != SIZE_MAX && left >= memory.bytes) return;
  memory.cgroup_limit = limit;
  memory.cgroup_used = used;
  memory.bytes = std::min(memory.bytes, left);
}

// Path of this process's group, from a line "4:memory:/a/b" (version 1) or "0::/a/b" (version 2).
std::optional<std::string> group_path(std::string_view line, const CgroupFiles& files) {
  const std::size_t first = line.find(':');
  const std::size_t second = line.find(':', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  const std::string_view controllers = line.substr(first + 1, second - first - 1);
  const bool ours = files.mount.empty()
                        ? controllers.empty()
                        : fmt::format(",{},", controllers).find(",memory,") != std::string::npos;
  if (!ours) return std::nullopt;
  return std::string(line.substr(second + 1));
}

// Every group from this process's own up to the root. Inside a container the path may be the one
// outside of it; then its missing parts are skipped and the root is the container's group.
void apply_groups(const fs::path& root, const CgroupFiles& files, AvailableMemory& memory) {
  const fs::path mount = root / "sys/fs/cgroup" / files.mount;
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::optional<std::string> path = group_path(line, files);
    if (!path) continue;
    fs::path below = fs::path(*path).relative_path();
    for (; !below.empty() && below != below.parent_path(); below = below.parent_path()) {
      apply_group(mount / below, files, memory);
    }
  }
  apply_group(mount, files, memory);
}

}  // namespace

std::string AvailableMemory::describe() const {
  std::string text = fmt::format("{} bytes (machine: {}", bytes, machine);
  if (cgroup_limit != SIZE_MAX) {
    text += fmt::format("; control group: limit {}, used {}", cgroup_limit, cgroup_used);
  }
  return text + ")";
}

AvailableMemory available_memory(const fs::path& root) {
  AvailableMemory memory;
  const auto table = read_kib_table(root / "proc/meminfo");
  const auto found = table.find("MemAvailable");
  memory.machine = found == table.end() ? SIZE_MAX : found->second;
  memory.bytes = memory.machine;
  apply_groups(root, kVersion1, memory);
  apply_groups(root, kVersion2, memory);
  return memory;
}

ResidentMemory resident_memory() {
  auto table = read_kib_table("/proc/self/status");
  return {.anonymous = table["RssAnon"], .file = table["RssFile"] + table["RssShmem"]};
}

std::size_t heap_bytes() {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#else
  return 0;
#endif
}

void release_free_heap() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

}  // namespace llm::core
