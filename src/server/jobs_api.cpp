#include "server/jobs_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/log.h"
#include "server/chat_fields.h"
#include "server/job_events.h"
#include "server/job_stream.h"
#include "server/served_model.h"

namespace llm::server {
namespace {

using core::Json;

HttpResponse unknown_job() { return error_response(ApiError::not_found, "no such job"); }

}  // namespace

void JobsApi::add_routes(Router& router) {
  router.add({.method = "POST",
              .pattern = "/v1/jobs",
              .slow = true,
              .summary = "accepts a job: `{\"job_id\",\"sse_url\"}`",
              .body = "JobRequest",
              .handle = [this](const HttpRequest& r) { return create(r, true); }});
  router.add({.method = "GET",
              .pattern = "/v1/jobs",
              .summary = "the jobs, oldest first",
              .handle = [this](const HttpRequest& r) { return list(r); }});
  router.add({.method = "POST",
              .pattern = "/v1/inference",
              .slow = true,
              .summary = "deprecated: as `POST /v1/jobs`, without `operation`",
              .body = "JobRequest",
              .handle = [this](const HttpRequest& r) { return create(r, false); }});
  router.add({.method = "GET",
              .pattern = "/v1/jobs/{id}/stream",
              .streams = true,
              .summary = "the job's events",
              .handle = [this](const HttpRequest& r) { return stream(r); }});
  router.add({.method = "GET",
              .pattern = "/v1/jobs/{id}",
              .summary = "the job's state and its text so far",
              .handle = [this](const HttpRequest& r) { return status(r); }});
  router.add({.method = "DELETE",
              .pattern = "/v1/jobs/{id}",
              .summary = "cancels the job",
              .handle = [this](const HttpRequest& r) { return cancel(r); }});
}

HttpResponse JobsApi::create(const HttpRequest& request, bool operation_required) {
  const ModelState::Snapshot model = model_.snapshot();
  if (!model.engine) return model_not_ready(model);
  const ModelInfo& info = model.engine->info();
  Result<ParsedJob> parsed = parse_job(request.body, {.model = info,
                                                      .limits = options_.job_limits,
                                                      .chat = model.engine->chat_status(),
                                                      .operation_required = operation_required,
                                                      .strict = request.header("x-strict") == "1"});
  if (!parsed) return error_response(ApiError::invalid_request, parsed.error().message());
  if (!parsed->errors.empty()) return field_error_response(parsed->errors);
  JobRequest& job = parsed->request;
  if (auto refusal = check_model(options_, info, job.model)) return std::move(*refusal);
  return submit(request, std::move(job), model);
}

HttpResponse JobsApi::submit(const HttpRequest& request, JobRequest job,
                             const ModelState::Snapshot& model) {
  Engine& engine = *model.engine;
  GenerationRequest& generation = job.generation;
  const bool is_chat = !job.chat.messages.empty();
  if (is_chat) {
    if (auto refusal = render_to_tokens(engine, job.chat, options_.job_limits.max_prompt_chars,
                                        request.header("x-strict") == "1", job.ignored,
                                        generation.prompt_tokens)) {
      return std::move(*refusal);
    }
  }
  if (!generation.max_tokens) generation.max_tokens = options_.job_limits.max_tokens_limit;

  const ModelInfo& info = engine.info();
  const DType dtype = dtype_in_use(generation.dtype, info);
  Job::Settings settings{.id = {},
                         .request_id = request.request_id,
                         .model = served_model_name(options_, info),
                         .dtype = std::string(to_string(dtype)),
                         .sequence = 0,
                         .memory_bytes = info.memory.total(),
                         .logprobs = generation.logprobs,
                         .stop = generation.stop,
                         .ignored = std::move(job.ignored),
                         .requested = {.prompt_tokens = 0,
                                       .max_tokens = *generation.max_tokens,
                                       .sampling = generation.sampling}};
  const auto admitted = jobs_.admit(std::move(settings));
  if (!admitted) {
    return shutting_down(admitted.error().message());
  }
  const std::shared_ptr<Job>& entered = admitted.value();
  const Result<RequestId> id = engine.submit(std::move(generation), entered);
  if (!id) {
    jobs_.withdraw(*entered);
    return refused_by_engine(engine, id.error(), is_chat ? "messages" : "prompt", dtype);
  }
  entered->set_cancel([weak = std::weak_ptr<Engine>(model.engine), id = id.value()] {
    if (const auto alive = weak.lock()) alive->cancel(id);
  });
  const std::string& job_id = entered->settings().id;
  core::log(core::LogLevel::info, "request_id={} {} accepted", request.request_id, job_id);
  return json_response(
      {{"job_id", job_id}, {"sse_url", fmt::format("/v1/jobs/{}/stream", job_id)}});
}

HttpResponse JobsApi::stream(const HttpRequest& request) {
  const std::shared_ptr<Job> job = jobs_.find(request.path_params[0]);
  if (!job) return unknown_job();
  std::int64_t from = 0;
  for (const auto& [name, value] : request.query) {
    if (name != "from") {
      return field_error_response(
          {{name, "known_parameter", "the stream takes one parameter, from", nullptr}});
    }
    const char* const end = value.data() + value.size();
    const auto [stopped, error] = std::from_chars(value.data(), end, from);
    if (error != std::errc() || stopped != end || from < 0) {
      return field_error_response(
          {{"from", "range(0..)", "from must be a token index from 0", nullptr}});
    }
  }
  return event_stream(std::make_shared<JobStream>(job, from));
}

HttpResponse JobsApi::status(const HttpRequest& request) {
  const std::shared_ptr<Job> job = jobs_.find(request.path_params[0]);
  if (!job) return unknown_job();
  return json_response(job_status(*job, job->snapshot(true), jobs_.queue_position(*job)));
}

HttpResponse JobsApi::list(const HttpRequest&) {
  Json jobs = Json::array();
  for (const auto& job : jobs_.list()) jobs.push_back(job_summary(*job, job->snapshot(false)));
  return json_response({{"jobs", std::move(jobs)}});
}

HttpResponse JobsApi::cancel(const HttpRequest& request) {
  const std::shared_ptr<Job> job = jobs_.find(request.path_params[0]);
  if (!job) return unknown_job();
  if (job->cancel("cancelled on request")) {
    core::log(core::LogLevel::info, "request_id={} {} cancelled", request.request_id,
              job->settings().id);
  }
  // A job that had ended keeps its state: there was nothing to cancel.
  return json_response({{"job_id", job->settings().id}, {"status", to_string(job->state())}});
}

}  // namespace llm::server
