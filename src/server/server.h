// Server: the worker's network side. Opens its socket at once and answers health and loading
// progress; jobs are taken once the engine has been handed in. It has its own network thread and a
// small pool for slow routes, and never waits for the engine. All members may be called from any
// thread; the server shares ownership of the engine until it is destroyed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "llm/engine.h"
#include "server/model_state.h"
#include "server/server_options.h"

namespace llm::server {

class Server {
 public:
  /// Checks the options, binds the address and starts to serve.
  static Result<std::unique_ptr<Server>> start(ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;

  void set_progress(const LoadProgress& progress);
  void set_engine(std::shared_ptr<Engine> engine);
  void set_failed(Status failure);

  /// Takes no more jobs and waits for the active ones, at most `timeout` or until `hurry` says
  /// true; then cancels the rest, and gives the readers a moment to receive the end.
  void drain(std::chrono::milliseconds timeout, const std::function<bool()>& hurry = {});

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace llm::server
