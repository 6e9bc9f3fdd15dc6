// RenderLimits and Budget: what one rendering of a template may take. Steps stand for time: one per
// node of the template that is evaluated, and one per 64 bytes of text that is made or searched.
// Memory is that of the values alive at once beyond the inputs. Once something has run out it stays
// so, and whoever evaluates the next node reports it. Belongs to one rendering, on one thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "llm/status.h"

namespace llm::chat {

struct RenderLimits {
  std::uint64_t steps = 50'000'000;
  std::size_t memory_bytes = std::size_t{256} << 20;
  std::size_t output_bytes = std::size_t{64} << 20;
  int depth = 1000;         ///< nodes inside nodes, also of called macros: 6 MB of stack at most
  int value_nesting = 150;  ///< containers inside containers
};

class Budget {
 public:
  explicit Budget(const RenderLimits& limits) : limits_(limits) {}

  const RenderLimits& limits() const { return limits_; }

  /// False once the steps are used up.
  bool spend(std::uint64_t steps = 1) {
    steps_ += steps;
    if (steps_ > limits_.steps) out_of_steps_ = true;
    return !out_of_steps_;
  }
  /// The steps of work on that much text.
  bool spend_bytes(std::size_t bytes) { return spend(bytes / 64); }

  /// Whether so many more bytes may be allocated; asked before anything that may become large.
  bool admits(std::size_t bytes) {
    if (bytes > limits_.memory_bytes || live_ > limits_.memory_bytes - bytes) out_of_memory_ = true;
    return !out_of_memory_;
  }
  void allocate(std::size_t bytes) {
    live_ += bytes;
    if (live_ > limits_.memory_bytes) out_of_memory_ = true;
    spend_bytes(bytes);
  }
  void release(std::size_t bytes) { live_ -= bytes; }

  /// A container of this nesting is made.
  void nest(int nesting) {
    if (nesting > limits_.value_nesting) too_nested_ = true;
  }

  bool exhausted() const { return out_of_steps_ || out_of_memory_ || too_nested_; }
  /// Which limit was passed; ok when none was.
  Status status() const;

 private:
  RenderLimits limits_;
  std::uint64_t steps_ = 0;
  std::size_t live_ = 0;
  bool out_of_steps_ = false;
  bool out_of_memory_ = false;
  bool too_nested_ = false;
};

}  // namespace llm::chat
