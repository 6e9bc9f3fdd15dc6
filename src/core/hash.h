// Fnv1a: a 64-bit fingerprint of bytes, the same on every machine and in every version (FNV-1a).
// Tells things apart that differ by accident, not those that somebody made alike on purpose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace llm::core {

class Fnv1a {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
      value_ = (value_ ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3ULL;
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

}  // namespace llm::core
