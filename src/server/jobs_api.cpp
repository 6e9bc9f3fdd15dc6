#include "server/jobs_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/log.h"
#include "server/chat_fields.h"
#include "server/job_events.h"
#include "server/job_stream.h"

namespace llm::server {
namespace {

using core::Json;

constexpr int kShutdownRetrySeconds = 5;

HttpResponse unknown_job() { return error_response(ApiError::not_found, "no such job"); }

bool names_model(const ServerOptions& options, const ModelInfo& info, const std::string& name) {
  return name == served_model_name(options, info) || name == info.name || name == info.path ||
         std::find(options.model_aliases.begin(), options.model_aliases.end(), name) !=
             options.model_aliases.end();
}

// A second copy of the weights is not loaded on request; the numbers say what it would take.
HttpResponse dtype_not_resident(DType wanted, const ModelInfo& info) {
  const std::uint64_t bytes =
      info.capabilities.parameters * static_cast<std::uint64_t>(dtype_info(wanted).block_bytes);
  const std::string_view loaded = to_string(info.capabilities.dtype);
  const Json error = {
      {"field", "dtype"},
      {"constraint", fmt::format("resident({})", loaded)},
      {"message",
       fmt::format("dtype {} is supported but not loaded: {} is ({} bytes of weights); "
                   "{} would take another {} bytes, and the budget for further copies "
                   "is 0 bytes",
                   to_string(wanted), loaded, info.memory.weights, to_string(wanted), bytes)},
      {"value", to_string(wanted)}};
  return json_response({{"errors", Json::array({error})},
                        {"loaded_bytes", info.memory.weights},
                        {"required_bytes", bytes},
                        {"available_bytes", 0}},
                       422);
}

// The engine says when a place may be free.
HttpResponse queue_full(const Status& status) {
  constexpr std::int64_t kLongestSeconds = 120;
  const std::int64_t seconds =
      std::clamp<std::int64_t>((status.retry_after_ms() + 999) / 1000, 1, kLongestSeconds);
  return retry_later(ApiError::queue_full, status.message(), static_cast<int>(seconds));
}

// The engine's own verdict on a request that passed the schema.
HttpResponse refused_by_engine(const Status& status, bool chat) {
  switch (status.code()) {
    case StatusCode::invalid_argument:
    case StatusCode::unsupported:
      return field_error_response(
          {{chat ? "messages" : "prompt", "fits_context", status.message(), nullptr}});
    case StatusCode::unavailable:
      if (status.retry_after_ms() > 0) return queue_full(status);
      return retry_later(ApiError::shutting_down, status.message(), kShutdownRetrySeconds);
    default:
      return error_response(ApiError::internal, status.message());
  }
}

}  // namespace

std::string served_model_name(const ServerOptions& options, const ModelInfo& info) {
  return options.model_name.empty() ? info.name : options.model_name;
}

void JobsApi::add_routes(Router& router) {
  router.add({.method = "POST",
              .pattern = "/v1/jobs",
              .slow = true,
              .handle = [this](const HttpRequest& r) { return create(r, true); }});
  router.add({.method = "GET", .pattern = "/v1/jobs", .handle = [this](const HttpRequest& r) {
                return list(r);
              }});
  router.add({.method = "POST",
              .pattern = "/v1/inference",
              .slow = true,
              .handle = [this](const HttpRequest& r) { return create(r, false); }});
  router.add({.method = "GET",
              .pattern = "/v1/jobs/{id}/stream",
              .streams = true,
              .handle = [this](const HttpRequest& r) { return stream(r); }});
  router.add({.method = "GET", .pattern = "/v1/jobs/{id}", .handle = [this](const HttpRequest& r) {
                return status(r);
              }});
  router.add({.method = "DELETE",
              .pattern = "/v1/jobs/{id}",
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
  if (!job.model.empty() && !names_model(options_, info, job.model)) {
    constexpr std::size_t kLongestShown = 200;
    return error_response(
        ApiError::model_not_found,
        fmt::format("model \"{}\" is not served here (this worker serves \"{}\")",
                    job.model.substr(0, kLongestShown), served_model_name(options_, info)));
  }
  if (job.dtype) return dtype_not_resident(*job.dtype, info);
  return submit(request, std::move(job), model);
}

// Renders the messages of a job into the tokens of its prompt; an answer when they are refused.
std::optional<HttpResponse> JobsApi::prepare_chat(const Engine& engine, JobRequest& job,
                                                  bool strict) const {
  const Result<RenderedChat> rendered = engine.render_chat(job.chat);
  if (!rendered) return chat_error_response(rendered.error());
  const std::int64_t limit = options_.job_limits.max_prompt_chars;
  if (const std::int64_t length = count_characters(rendered->prompt); length > limit) {
    return field_error_response(
        {{"messages", fmt::format("length(1..={})", limit),
          fmt::format("messages must have at most {} characters once rendered (got {})", limit,
                      length),
          nullptr}});
  }
  if (auto refusal = report_unused_kwargs(*rendered, strict, job.ignored)) return refusal;
  // The template writes BOS itself; adding it again would change the prompt.
  Result<std::vector<std::int32_t>> tokens = engine.tokenize(rendered->prompt, false);
  if (!tokens) {
    return field_error_response({{"messages", "tokenize", tokens.error().message(), nullptr}});
  }
  job.generation.prompt_tokens = std::move(tokens).value();
  if (job.generation.prompt_tokens.empty()) {
    return field_error_response(
        {{"messages", "chat_template", "the chat template renders them to nothing", nullptr}});
  }
  return std::nullopt;
}

HttpResponse JobsApi::submit(const HttpRequest& request, JobRequest job,
                             const ModelState::Snapshot& model) {
  Engine& engine = *model.engine;
  GenerationRequest& generation = job.generation;
  const bool is_chat = !job.chat.messages.empty();
  if (is_chat) {
    if (auto refusal = prepare_chat(engine, job, request.header("x-strict") == "1")) {
      return std::move(*refusal);
    }
  }
  if (!generation.max_tokens) generation.max_tokens = options_.job_limits.max_tokens_limit;

  const ModelInfo& info = engine.info();
  Job::Settings settings{.id = {},
                         .request_id = request.request_id,
                         .model = served_model_name(options_, info),
                         .dtype = std::string(to_string(info.capabilities.dtype)),
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
    return retry_later(ApiError::shutting_down, admitted.error().message(), kShutdownRetrySeconds);
  }
  const std::shared_ptr<Job>& entered = admitted.value();
  const Result<RequestId> id = engine.submit(std::move(generation), entered);
  if (!id) {
    jobs_.withdraw(*entered);
    return refused_by_engine(id.error(), is_chat);
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
