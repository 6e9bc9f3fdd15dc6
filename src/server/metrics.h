// GET /metrics: what the worker has done and is doing, in the Prometheus text format (version
// 0.0.4, https://prometheus.io/docs/instrumenting/exposition_formats/).
#pragma once

#include <string>

#include "server/job_store.h"
#include "server/model_state.h"

namespace llm::server {

/// While the model loads, the engine's figures are 0.
std::string metrics_text(const ModelState::Snapshot& model, const JobStore& jobs);

}  // namespace llm::server
