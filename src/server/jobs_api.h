// The routes of the jobs API: POST /v1/jobs (and the deprecated POST /v1/inference), the stream,
// the status, the list and the cancellation of jobs.
#pragma once

#include "server/job_store.h"
#include "server/model_state.h"
#include "server/router.h"
#include "server/server_options.h"

namespace llm::server {

class JobsApi {
 public:
  /// All three must outlive the routes.
  JobsApi(const ServerOptions& options, ModelState& model, JobStore& jobs)
      : options_(options), model_(model), jobs_(jobs) {}

  void add_routes(Router& router);

 private:
  HttpResponse create(const HttpRequest& request, bool operation_required);
  HttpResponse submit(const HttpRequest& request, JobRequest job,
                      const ModelState::Snapshot& model);
  HttpResponse stream(const HttpRequest& request);
  HttpResponse status(const HttpRequest& request);
  HttpResponse list(const HttpRequest& request);
  HttpResponse cancel(const HttpRequest& request);

  const ServerOptions& options_;
  ModelState& model_;
  JobStore& jobs_;
};

}  // namespace llm::server
