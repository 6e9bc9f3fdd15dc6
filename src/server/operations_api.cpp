#include "server/operations_api.h"

#include "server/metrics.h"
#include "server/served_model.h"

namespace llm::server {

using core::Json;

bool is_busy(const ModelState::Snapshot& model, const JobStore& jobs) {
  return model.engine != nullptr && jobs.active() > 0;
}

void OperationsApi::add_routes(Router& router) {
  router.add({.method = "GET",
              .pattern = "/health",
              .access = Access::open,
              .summary =
                  "200 `{\"status\":\"healthy\"}`; 503 `{\"status\":\"unhealthy\",\"reason\"}` "
                  "after the model failed to load, or the engine gave up after repeated "
                  "failures",
              .handle = [this](const HttpRequest&) { return health(); }});
  router.add({.method = "GET",
              .pattern = "/v1/ready",
              .access = Access::open,
              .summary = "200 `{\"ready\",\"state\",\"model_loaded\",\"progress_url\"?}`; state "
                         "`loading`, `idle`, `busy` or `error`; 503 with the same body while it is "
                         "not ready: loading, failed, stopping",
              .handle = [this](const HttpRequest&) { return ready(); }});
  router.add({.method = "GET",
              .pattern = "/v1/loading/progress",
              .access = Access::open,
              .streams = true,
              .summary = "events `{\"stage\":\"loading\",\"layers_loaded\",\"layers_total\","
                         "\"bytes_loaded\",\"bytes_total\"}` (0 = not known), then "
                         "`{\"stage\":\"ready\"}` and `[DONE]`; after a failure "
                         "`{\"stage\":\"error\",\"message\"}` and no `[DONE]`",
              .handle = [this](const HttpRequest&) {
                return event_stream(std::make_shared<LoadingStream>(model_));
              }});
  router.add({.method = "GET",
              .pattern = "/v1/model",
              .summary = "name, format, `architecture_family`, `dtype`, `kv_dtype`, "
                         "`supported_dtypes`, `loaded_dtypes`, "
                         "`is_quantized`, context lengths, `max_tokens_limit`, `vocab_size`, "
                         "`eos_tokens`, `parameters`, "
                         "`memory` in bytes, `instruction_set`, threads",
              .handle = [this](const HttpRequest&) { return model(); }});
  router.add({.method = "GET",
              .pattern = "/metrics",
              .summary = "figures for Prometheus, see below",
              .handle = [this](const HttpRequest&) {
                HttpResponse response;
                response.content_type = "text/plain; version=0.0.4; charset=utf-8";
                response.body = metrics_text(model_.snapshot(), jobs_);
                return response;
              }});
}

HttpResponse OperationsApi::health() const {
  const ModelState::Snapshot now = model_.snapshot();
  if (now.stage == ModelState::Stage::failed) {
    return json_response({{"status", "unhealthy"}, {"reason", now.failure.message()}}, 503);
  }
  if (now.engine) {
    if (const Status health = now.engine->health(); !health.ok()) {
      return json_response({{"status", "unhealthy"}, {"reason", health.message()}}, 503);
    }
  }
  return json_response({{"status", "healthy"}});
}

HttpResponse OperationsApi::ready() const {
  const ModelState::Snapshot now = model_.snapshot();
  const bool loaded = now.stage == ModelState::Stage::ready;
  const bool failed =
      now.stage == ModelState::Stage::failed || (now.engine && !now.engine->health().ok());
  const bool ready = loaded && !failed && !draining_;
  Json json = {{"ready", ready},
               {"state", failed                ? "error"
                         : !loaded             ? "loading"
                         : is_busy(now, jobs_) ? "busy"
                                               : "idle"},
               {"model_loaded", loaded}};
  if (now.stage == ModelState::Stage::loading) json["progress_url"] = "/v1/loading/progress";
  // Probes look at the status alone.
  return json_response(json, ready ? 200 : 503);
}

HttpResponse OperationsApi::model() const {
  const ModelState::Snapshot now = model_.snapshot();
  if (!now.engine) return model_not_ready(now);
  const ModelInfo& info = now.engine->info();
  const ModelCapabilities& can = info.capabilities;
  const auto names = [](const std::vector<DType>& dtypes) {
    Json list = Json::array();
    for (const DType dtype : dtypes) list.push_back(to_string(dtype));
    return list;
  };
  return json_response({{"model", served_model_name(options_, info)},
                        {"format", info.format},
                        {"device", info.device},
                        {"architecture_family", can.architecture_family},
                        {"dtype", to_string(can.dtype)},
                        {"kv_dtype", to_string(can.kv_dtype)},
                        {"supported_dtypes", names(can.supported_dtypes)},
                        {"loaded_dtypes", names(now.engine->loaded_dtypes())},
                        {"is_quantized", can.is_quantized},
                        {"max_context_length", can.max_context_length},
                        {"trained_context_length", info.trained_context_length},
                        {"max_tokens_limit", options_.job_limits.max_tokens_limit},
                        {"vocab_size", can.vocab_size},
                        {"eos_tokens", can.eos_tokens.ids()},
                        {"parameters", can.parameters},
                        {"max_sequences", info.max_sequences},
                        {"threads", info.threads},
                        {"instruction_set", info.instruction_set},
                        {"chat_template", now.engine->chat_status().ok()},
                        {"memory",
                         {{"weights_bytes", info.memory.weights},
                          {"kv_bytes_per_token", info.memory.kv_per_token},
                          {"kv_cache_bytes", info.memory.kv_cache},
                          {"scratch_bytes", info.memory.scratch},
                          {"tables_bytes", info.memory.tables},
                          {"tokenizer_bytes", info.memory.tokenizer},
                          {"program_bytes", info.memory.program},
                          {"total_bytes", info.memory.total()}}}});
}

}  // namespace llm::server
