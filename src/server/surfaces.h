// Surfaces: every route of the worker.
#pragma once

#include <atomic>

#include "server/jobs_api.h"
#include "server/openai_api.h"
#include "server/operations_api.h"
#include "server/tokenizer_api.h"

namespace llm::server {

class Surfaces {
 public:
  /// All must outlive the routes.
  Surfaces(const ServerOptions& options, ModelState& model, JobStore& jobs,
           const std::atomic<bool>& draining)
      : version_(options.version),
        jobs_(options, model, jobs),
        openai_(options, model, jobs),
        operations_(options, model, jobs, draining),
        tokenizer_(model) {}

  Router router();

 private:
  const std::string version_;
  JobsApi jobs_;
  OpenAiApi openai_;
  OperationsApi operations_;
  TokenizerApi tokenizer_;
};

}  // namespace llm::server
