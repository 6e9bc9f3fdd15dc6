#include "engine/client_queue.h"

#include <algorithm>

#include "core/check.h"

namespace llm::engine {

void ClientQueue::add(std::unique_ptr<Sequence>&& sequence) {
  const auto [found, is_new] = clients_.try_emplace(sequence->client_key);
  Client& client = found->second;
  if (is_new) client.number = ++last_number_;
  std::list<Client*> turn;
  if (client.waiting.empty()) turn.push_back(&client);
  client.waiting.push_back(std::move(sequence));  // the last thing that can fail
  client.waiting.back()->client = &client;
  round_.splice(round_.end(), turn);
  ++client.requests;
  ++waiting_;
}

Sequence* ClientQueue::next() const {
  return round_.empty() ? nullptr : round_.front()->waiting.front().get();
}

std::unique_ptr<Sequence> ClientQueue::take_next() {
  LLM_CHECK(!round_.empty());
  Client& client = *round_.front();
  round_.pop_front();
  std::unique_ptr<Sequence> taken = std::move(client.waiting.front());
  client.waiting.pop_front();
  if (!client.waiting.empty()) round_.push_back(&client);
  --waiting_;
  return taken;
}

std::unique_ptr<Sequence> ClientQueue::remove(RequestId id) {
  for (Client* client : round_) {
    const auto found = std::find_if(client->waiting.begin(), client->waiting.end(),
                                    [id](const auto& sequence) { return sequence->id == id; });
    if (found == client->waiting.end()) continue;
    std::unique_ptr<Sequence> removed = std::move(*found);
    client->waiting.erase(found);
    --waiting_;
    if (client->waiting.empty()) round_.remove(client);
    leave(*removed);
    return removed;
  }
  return nullptr;
}

void ClientQueue::leave(Sequence& sequence) {
  Client& client = *sequence.client;
  sequence.client = nullptr;
  if (--client.requests == 0) clients_.erase(sequence.client_key);
}

void ClientQueue::for_each_waiting(core::FunctionRef<void(const Sequence&)> visit) const {
  for (const Client* client : round_) {
    for (const auto& sequence : client->waiting) visit(*sequence);
  }
}

}  // namespace llm::engine
