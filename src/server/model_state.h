// ModelState: the model's way from loading to ready or failed. The socket opens before the model is
// there; routes ask here for the engine. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "core/json.h"
#include "llm/engine.h"
#include "server/http_message.h"
#include "server/wakeups.h"

namespace llm::server {

class ModelState {
 public:
  enum class Stage : std::uint8_t { loading, ready, failed };

  struct Snapshot {
    Stage stage = Stage::loading;
    LoadProgress progress;
    std::shared_ptr<Engine> engine;  ///< set when ready
    std::chrono::system_clock::time_point ready_at;
    Status failure;
    std::uint64_t version = 0;  ///< grows with every change
  };

  void set_progress(const LoadProgress& progress);
  void set_ready(std::shared_ptr<Engine> engine);
  void set_failed(Status failure);

  Snapshot snapshot() const;
  Wakeups& watchers() { return watchers_; }

 private:
  mutable std::mutex mutex_;
  Snapshot now_;
  Wakeups watchers_;
};

/// The refusal of a route that needs the model, while it is not there.
HttpResponse model_not_ready(const ModelState::Snapshot& snapshot);

/// GET /v1/loading/progress: loading events, then ready and [DONE]; after a failure an error event
/// and no [DONE].
class LoadingStream : public StreamSource {
 public:
  explicit LoadingStream(ModelState& model) : model_(model) {}

  void start(std::function<void()> wake) override;
  StreamState read(std::string& out) override;
  void stop() override;

 private:
  ModelState& model_;
  Wakeups::Id watcher_ = 0;
  std::uint64_t seen_version_ = 0;
};

}  // namespace llm::server
