// The operator's routes: health, readiness, loading progress, the model's capabilities, metrics.
#pragma once

#include <atomic>

#include "server/job_store.h"
#include "server/model_state.h"
#include "server/router.h"
#include "server/server_options.h"

namespace llm::server {

/// "starting", "ready", "busy": what the heartbeat and readiness say of a worker in service.
bool is_busy(const ModelState::Snapshot& model, const JobStore& jobs);

class OperationsApi {
 public:
  /// All must outlive the routes.
  OperationsApi(const ServerOptions& options, ModelState& model, const JobStore& jobs,
                const std::atomic<bool>& draining)
      : options_(options), model_(model), jobs_(jobs), draining_(draining) {}

  void add_routes(Router& router);

 private:
  HttpResponse health() const;
  HttpResponse ready() const;
  HttpResponse model() const;

  const ServerOptions& options_;
  ModelState& model_;
  const JobStore& jobs_;
  const std::atomic<bool>& draining_;
};

}  // namespace llm::server
