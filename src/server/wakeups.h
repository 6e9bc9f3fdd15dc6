// Wakeups: the callbacks of everyone who waits for an object to change. Safe from any thread. A
// callback runs on the notifying thread under the lock: it may only post, and once remove() has
// returned it is not called any more.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

namespace llm::server {

class Wakeups {
 public:
  using Id = std::uint64_t;

  Id add(std::function<void()> wake);
  /// Returns how many are left.
  std::size_t remove(Id id);
  void notify();

 private:
  std::mutex mutex_;
  Id next_ = 1;
  std::map<Id, std::function<void()>> waiting_;
};

}  // namespace llm::server
