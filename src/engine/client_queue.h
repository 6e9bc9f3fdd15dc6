// ClientQueue: the requests that wait, in line per client. Clients take turns: the one whose turn
// it was goes to the end of the round, and a new one joins there. So a client with many requests
// delays another by one request at a time, and nobody waits for ever. Also knows the clients whose
// requests run, for the turns in which prompts are processed. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "core/function_ref.h"
#include "engine/sequence.h"

namespace llm::engine {

/// One client, as long as it has a request here.
struct Client {
  std::uint64_t number = 0;  ///< of appearance
  std::deque<std::unique_ptr<Sequence>> waiting;
  int requests = 0;              ///< waiting or running
  std::uint64_t last_slice = 0;  ///< last step that processed a part of a prompt of this client
  std::uint64_t slices = 0;      ///< how many there were
};

class ClientQueue {
 public:
  /// Puts a request at the end of its client's line. An exception (no memory) leaves it, and the
  /// queue, as they were.
  void add(std::unique_ptr<Sequence>&& sequence);

  /// The request whose turn it is; null when none waits.
  Sequence* next() const;
  /// Takes that one out.
  std::unique_ptr<Sequence> take_next();
  /// Takes a waiting request out; null when unknown.
  std::unique_ptr<Sequence> remove(RequestId id);
  /// A request that was taken out is over.
  void leave(Sequence& sequence);

  int waiting() const { return waiting_; }
  void for_each_waiting(core::FunctionRef<void(const Sequence&)> visit) const;

 private:
  std::map<std::string, Client> clients_;
  std::list<Client*> round_;  // those with waiting requests, next turn first
  std::uint64_t last_number_ = 0;
  int waiting_ = 0;
};

}  // namespace llm::engine
