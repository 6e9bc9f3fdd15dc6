#include "server/wakeups.h"

namespace llm::server {

Wakeups::Id Wakeups::add(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  waiting_.emplace(next_, std::move(wake));
  return next_++;
}

std::size_t Wakeups::remove(Id id) {
  const std::lock_guard lock(mutex_);
  waiting_.erase(id);
  return waiting_.size();
}

void Wakeups::notify() {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, wake] : waiting_) wake();
}

}  // namespace llm::server
