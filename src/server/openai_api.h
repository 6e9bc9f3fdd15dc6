// The routes of the OpenAI API, each with and without the prefix /v1: models, chat completions,
// completions, embeddings.
#pragma once

#include "server/completion.h"
#include "server/job_store.h"
#include "server/model_state.h"
#include "server/router.h"
#include "server/server_options.h"

namespace llm::server {

class OpenAiApi {
 public:
  /// All must outlive the routes.
  OpenAiApi(const ServerOptions& options, ModelState& model, JobStore& jobs)
      : options_(options), model_(model), jobs_(jobs) {}

  void add_routes(Router& router);

 private:
  HttpResponse list_models() const;
  HttpResponse one_model(const HttpRequest& request) const;
  HttpResponse complete(CompletionKind kind, const HttpRequest& request);
  HttpResponse submit(const HttpRequest& http, CompletionKind kind, CompletionRequest request,
                      std::vector<std::vector<std::int32_t>> prompts,
                      const ModelState::Snapshot& model);

  const ServerOptions& options_;
  ModelState& model_;
  JobStore& jobs_;
};

}  // namespace llm::server
