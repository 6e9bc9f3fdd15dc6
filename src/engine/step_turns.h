// StepTurns: engines that share one thread pool run their steps in turns, first come first served,
// so that none waits for more than one step of each other. Any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace llm::engine {

class StepTurns {
 public:
  /// The right to use the pool, until it is destroyed.
  class Turn {
   public:
    explicit Turn(StepTurns& turns) : turns_(turns) { turns_.begin(); }
    ~Turn() { turns_.end(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    StepTurns& turns_;
  };

  /// An engine has work from now on, or has none.
  void set_working(bool working);
  /// How many have.
  int working() const;

 private:
  void begin();
  void end();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t next_ticket_ = 0;
  std::uint64_t serving_ = 0;
  int working_ = 0;
};

}  // namespace llm::engine
