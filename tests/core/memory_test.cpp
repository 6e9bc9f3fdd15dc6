// How much memory a process may take: the kernel's estimate, cut by its control groups of either
// version, wherever in the tree they are.
#include "core/memory.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/temp_dir.h"

namespace llm::core {
namespace {

constexpr std::size_t kMachine = std::size_t{1000} * 1024;  // of MemAvailable below
constexpr const char* kMeminfo =
    "MemTotal:    5000 kB\nMemFree:  10 kB\nMemAvailable:    1000 kB\nHugePages_Total:       0\n";

class Machine {
 public:
  Machine() { dir_.write("proc/meminfo", kMeminfo); }
  void in_groups(const std::string& lines) { dir_.write("proc/self/cgroup", lines); }
  void group(const std::string& path, const char* limit_file, const std::string& limit,
             const char* used_file, std::size_t used, const std::string& stat) {
    const std::string at = "sys/fs/cgroup/" + path + "/";
    dir_.write(at + limit_file, limit + "\n");
    dir_.write(at + used_file, std::to_string(used) + "\n");
    dir_.write(at + "memory.stat", stat);
  }
  void group2(const std::string& path, const std::string& limit, std::size_t used,
              const std::string& stat = "") {
    group(path, "memory.max", limit, "memory.current", used, stat);
  }
  void group1(const std::string& path, const std::string& limit, std::size_t used,
              const std::string& stat = "") {
    group("memory/" + path, "memory.limit_in_bytes", limit, "memory.usage_in_bytes", used, stat);
  }
  AvailableMemory available() const { return available_memory(dir_.path()); }

 private:
  TempDir dir_;
};

TEST(AvailableMemory, WithoutGroupsIsTheKernelsEstimate) {
  const Machine machine;
  EXPECT_EQ(machine.available().bytes, kMachine);
  EXPECT_EQ(machine.available().cgroup_limit, SIZE_MAX);
  EXPECT_EQ(machine.available().describe(), "1024000 bytes (machine: 1024000)");
}

TEST(AvailableMemory, AVersion2GroupCutsIt) {
  Machine machine;
  machine.in_groups("0::/user/worker\n");
  machine.group2("user/worker", "100000", 30000);
  const AvailableMemory memory = machine.available();
  EXPECT_EQ(memory.bytes, 70000u);
  EXPECT_EQ(memory.cgroup_limit, 100000u);
  EXPECT_EQ(memory.cgroup_used, 30000u);
  EXPECT_EQ(memory.describe(),
            "70000 bytes (machine: 1024000; control group: limit 100000, used 30000)");
}

// A model file that has been read fills the cache of the group, and gives way.
TEST(AvailableMemory, CachedFilePagesDoNotCountAsUsed) {
  Machine machine;
  machine.in_groups("0::/w\n");
  machine.group2("w", "100000", 90000, "anon 20000\ninactive_file 60000\nactive_file 10000\n");
  EXPECT_EQ(machine.available().bytes, 80000u);
}

TEST(AvailableMemory, TheTightestAncestorCounts) {
  Machine machine;
  machine.in_groups("0::/a/b/c\n");
  machine.group2("a", "50000", 45000);
  machine.group2("a/b", "max", 10);
  machine.group2("a/b/c", "40000", 1000);
  EXPECT_EQ(machine.available().bytes, 5000u);
  EXPECT_EQ(machine.available().cgroup_limit, 50000u);
}

// In a container the path names a place outside of it; the mount is the container's own group.
TEST(AvailableMemory, AContainersRootIsItsGroup) {
  Machine machine;
  machine.in_groups("0::/docker/0123\n");
  machine.group2("", "60000", 20000);
  EXPECT_EQ(machine.available().bytes, 40000u);
}

TEST(AvailableMemory, AVersion1GroupCutsIt) {
  Machine machine;
  machine.in_groups("3:cpu,cpuacct:/x\n2:memory:/w\n0::/\n");
  machine.group1("w", "100000", 50000, "inactive_file 1\ntotal_inactive_file 20000\n");
  EXPECT_EQ(machine.available().bytes, 70000u);
  machine.group1("", "9223372036854771712", 500000);  // how version 1 spells "no limit"
  EXPECT_EQ(machine.available().bytes, 70000u);
}

TEST(AvailableMemory, AFullGroupLeavesNothing) {
  Machine machine;
  machine.in_groups("0::/w\n");
  machine.group2("w", "1000", 5000);
  EXPECT_EQ(machine.available().bytes, 0u);
}

TEST(AvailableMemory, AWideLimitDoesNotRaiseIt) {
  Machine machine;
  machine.in_groups("0::/w\n");
  machine.group2("w", "999999999", 0);
  EXPECT_EQ(machine.available().bytes, kMachine);
}

TEST(ResidentMemory, GrowsWithWhatIsWritten) {
  const std::size_t before = resident_memory().anonymous;
  EXPECT_GT(before, 0u);
  const std::vector<char> block(std::size_t{32} << 20, 1);
  EXPECT_GT(resident_memory().anonymous, before + (std::size_t{16} << 20)) << block.size();
}

}  // namespace
}  // namespace llm::core
