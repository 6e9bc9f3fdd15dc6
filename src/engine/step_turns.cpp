#include "engine/step_turns.h"

namespace llm::engine {

void StepTurns::set_working(bool working) {
  const std::lock_guard lock(mutex_);
  working_ += working ? 1 : -1;
}

int StepTurns::working() const {
  const std::lock_guard lock(mutex_);
  return working_;
}

void StepTurns::begin() {
  std::unique_lock lock(mutex_);
  const std::uint64_t ticket = next_ticket_++;
  changed_.wait(lock, [&] { return serving_ == ticket; });
}

void StepTurns::end() {
  {
    const std::lock_guard lock(mutex_);
    ++serving_;
  }
  changed_.notify_all();
}

}  // namespace llm::engine
