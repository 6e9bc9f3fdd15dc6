#include "server/model_state.h"

#include "server/api_error.h"

namespace llm::server {

void ModelState::set_progress(const LoadProgress& progress) {
  {
    const std::lock_guard lock(mutex_);
    if (now_.stage != Stage::loading) return;
    now_.progress = progress;
    ++now_.version;
  }
  watchers_.notify();
}

void ModelState::set_ready(std::shared_ptr<Engine> engine) {
  {
    const std::lock_guard lock(mutex_);
    now_.stage = Stage::ready;
    now_.engine = std::move(engine);
    now_.ready_at = std::chrono::system_clock::now();
    ++now_.version;
  }
  watchers_.notify();
}

void ModelState::set_failed(Status failure) {
  {
    const std::lock_guard lock(mutex_);
    now_.stage = Stage::failed;
    now_.failure = std::move(failure);
    ++now_.version;
  }
  watchers_.notify();
}

ModelState::Snapshot ModelState::snapshot() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

HttpResponse model_not_ready(const ModelState::Snapshot& snapshot) {
  constexpr int kRetrySeconds = 2;
  if (snapshot.stage == ModelState::Stage::failed) {
    return error_response(ApiError::model_failed, snapshot.failure.message());
  }
  return retry_later(ApiError::model_loading,
                     "the model is loading; progress is at /v1/loading/progress", kRetrySeconds);
}

void LoadingStream::start(std::function<void()> wake) {
  watcher_ = model_.watchers().add(std::move(wake));
}

StreamState LoadingStream::read(std::string& out) {
  const ModelState::Snapshot now = model_.snapshot();
  switch (now.stage) {
    case ModelState::Stage::ready:
      append_event(out, {{"stage", "ready"}});
      append_done(out);
      return StreamState::finished;
    case ModelState::Stage::failed:
      append_event(out, {{"stage", "error"}, {"message", now.failure.message()}});
      return StreamState::failed;
    case ModelState::Stage::loading:
      break;
  }
  if (seen_version_ == now.version + 1) return StreamState::waiting;
  seen_version_ = now.version + 1;  // 0 is kept for: nothing sent yet
  append_event(out, {{"stage", "loading"},
                     {"layers_loaded", now.progress.layers_loaded},
                     {"layers_total", now.progress.layers_total},
                     {"bytes_loaded", now.progress.bytes_loaded},
                     {"bytes_total", now.progress.bytes_total}});
  return StreamState::waiting;
}

void LoadingStream::stop() { model_.watchers().remove(watcher_); }

}  // namespace llm::server
