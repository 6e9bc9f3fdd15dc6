#include "server/openai_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "core/log.h"
#include "server/chat_fields.h"
#include "server/completion_json.h"
#include "server/identity.h"
#include "server/served_model.h"
#include "server/sha256.h"

namespace llm::server {
namespace {

using core::Json;
using Tokens = std::vector<std::int32_t>;

std::int64_t unix_time(std::chrono::system_clock::time_point when) {
  return std::chrono::duration_cast<std::chrono::seconds>(when.time_since_epoch()).count();
}

// Replies with the same one come from the same program, model, types and kernels: with the same
// seed they are equal.
std::string fingerprint(const ServerOptions& options, const ModelInfo& info, DType dtype) {
  const ModelCapabilities& can = info.capabilities;
  const DType kv_dtype = dtype == can.dtype || can.kv_dtype_named ? can.kv_dtype : dtype;
  const std::string all = fmt::format("{}|{}|{}|{}|{}", options.version, info.path,
                                      to_string(dtype), to_string(kv_dtype), info.instruction_set);
  return "fp_" + sha256_hex(all).substr(0, 12);
}

std::string completion_id(CompletionKind kind) {
  std::string uuid = random_uuid();
  std::erase(uuid, '-');
  return (kind == CompletionKind::chat ? "chatcmpl-" : "cmpl-") + uuid;
}

std::uint64_t random_seed() {
  std::random_device entropy;
  return std::uint64_t{entropy()} << 32U | entropy();
}

Json model_json(const ServerOptions& options, const ModelInfo& info, std::int64_t created) {
  return {{"id", served_model_name(options, info)},
          {"object", "model"},
          {"created", created},
          {"owned_by", "llm-worker"},
          {"max_model_len", info.capabilities.max_context_length}};
}

HttpResponse context_exceeded(std::string_view field, std::int64_t tokens, std::int64_t context) {
  return problem_response(
      {.error = ApiError::context_exceeded,
       .message = fmt::format("the prompt has {} tokens, which leaves no room in the context of {}",
                              tokens, context),
       .fields = {},
       .details = {{"param", field}, {"n_prompt_tokens", tokens}, {"n_ctx", context}}});
}

// The tokens of a text completion's prompt; an answer when it is refused.
std::optional<HttpResponse> encode(const Engine& engine, const TextPrompt& prompt, Tokens& tokens) {
  tokens = prompt.tokens;
  if (prompt.is_tokens) return std::nullopt;
  Result<Tokens> encoded = engine.tokenize(prompt.text, {});
  if (!encoded) {
    return field_error_response({{"prompt", "tokenize", encoded.error().message(), nullptr}});
  }
  if (encoded->empty()) {
    return field_error_response(
        {{"prompt", "length(1..)", "prompt must not be empty: it has no tokens", nullptr}});
  }
  tokens = std::move(encoded).value();
  return std::nullopt;
}

}  // namespace

void OpenAiApi::add_routes(Router& router) {
  const std::vector<Route> routes = {
      {.method = "GET",
       .pattern = "/models",
       .summary = "a list of the one model served",
       .handle = [this](const HttpRequest&) { return list_models(); }},
      {.method = "GET",
       .pattern = "/models/{id...}",  // names of models have slashes
       .summary = "the model, by any name that `model` may have",
       .handle = [this](const HttpRequest& r) { return one_model(r); }},
      {.method = "POST",
       .pattern = "/chat/completions",
       .slow = true,
       .summary = "the model's answer to a conversation",
       .body = "ChatCompletionRequest",
       .handle = [this](const HttpRequest& r) { return complete(CompletionKind::chat, r); }},
      {.method = "POST",
       .pattern = "/completions",
       .slow = true,
       .summary = "the continuation of a text",
       .body = "CompletionRequest",
       .handle = [this](const HttpRequest& r) { return complete(CompletionKind::text, r); }},
      {.method = "POST",
       .pattern = "/embeddings",
       .summary = "400: the models that run here generate text",
       .handle =
           [](const HttpRequest&) {
             return error_response(ApiError::invalid_request,
                                   "this worker gives no embeddings: its model generates text");
           }},
  };
  for (const std::string prefix : {"/v1", ""}) {
    for (Route route : routes) {
      route.pattern = prefix + route.pattern;
      route.errors = ErrorShape::openai;
      router.add(std::move(route));
    }
  }
}

HttpResponse OpenAiApi::list_models() const {
  const ModelState::Snapshot now = model_.snapshot();
  if (!now.engine) return model_not_ready(now);
  const Json model = model_json(options_, now.engine->info(), unix_time(now.ready_at));
  return json_response({{"object", "list"}, {"data", Json::array({model})}});
}

HttpResponse OpenAiApi::one_model(const HttpRequest& request) const {
  const ModelState::Snapshot now = model_.snapshot();
  if (!now.engine) return model_not_ready(now);
  const ModelInfo& info = now.engine->info();
  if (!names_model(options_, info, request.path_params[0])) {
    return unknown_model(options_, info, request.path_params[0]);
  }
  return json_response(model_json(options_, info, unix_time(now.ready_at)));
}

HttpResponse OpenAiApi::complete(CompletionKind kind, const HttpRequest& request) {
  const ModelState::Snapshot model = model_.snapshot();
  if (!model.engine) return model_not_ready(model);
  const Engine& engine = *model.engine;
  const ModelInfo& info = engine.info();
  const bool strict = request.header("x-strict") == "1";
  Result<ParsedCompletion> parsed =
      parse_completion(kind, request.body,
                       {.model = info,
                        .limits = options_.job_limits,
                        .chat = kind == CompletionKind::chat ? engine.chat_status() : Status(),
                        .strict = strict});
  if (!parsed) return error_response(ApiError::invalid_request, parsed.error().message());
  if (!parsed->errors.empty()) return field_error_response(std::move(parsed->errors));
  CompletionRequest& wanted = parsed->request;
  if (auto refusal = check_model(options_, info, wanted.model)) return std::move(*refusal);

  const bool chat = kind == CompletionKind::chat;
  std::vector<Tokens> prompts(chat ? 1 : wanted.prompts.size());
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    auto refusal = chat ? render_to_tokens(engine, wanted.chat, std::nullopt, strict,
                                           wanted.ignored, prompts[p])
                        : encode(engine, wanted.prompts[p], prompts[p]);
    if (refusal) return std::move(*refusal);
    const auto length = static_cast<std::int64_t>(prompts[p].size());
    if (const std::int64_t context = info.capabilities.max_context_length; length >= context) {
      return context_exceeded(chat ? "messages" : "prompt", length, context);
    }
  }
  return submit(request, kind, std::move(wanted), std::move(prompts), model);
}

HttpResponse OpenAiApi::submit(const HttpRequest& http, CompletionKind kind,
                               CompletionRequest request, std::vector<Tokens> prompts,
                               const ModelState::Snapshot& model) {
  Engine& engine = *model.engine;
  const ModelInfo& info = engine.info();
  GenerationRequest& generation = request.generation;
  const DType dtype = dtype_in_use(generation.dtype, info);
  auto completion = std::make_shared<Completion>();
  completion->kind = kind;
  completion->id = completion_id(kind);
  completion->created = unix_time(std::chrono::system_clock::now());
  completion->model = served_model_name(options_, info);
  completion->fingerprint = fingerprint(options_, info, dtype);
  completion->ignored = std::move(request.ignored);
  completion->include_usage = request.include_usage;
  completion->logprobs = request.logprobs;
  completion->alternatives = request.alternatives;
  completion->echo = request.echo;
  completion->prompt_only = generation.max_tokens == 0;
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    CompletionPrompt prompt{.tokens = static_cast<std::int64_t>(prompts[p].size()), .echo = {}};
    if (request.echo) {
      Result<std::string> text = request.prompts[p].is_tokens
                                     ? engine.detokenize(prompts[p])
                                     : Result<std::string>(request.prompts[p].text);
      if (!text) {
        return field_error_response({{"echo", "detokenize", text.error().message(), nullptr}});
      }
      prompt.echo = std::move(text).value();
    }
    completion->prompts.push_back(std::move(prompt));
  }

  if (completion->prompt_only) generation.max_tokens = 1;  // the least that the engine makes
  if (!generation.max_tokens) generation.max_tokens = options_.job_limits.max_tokens_limit;
  if (request.logprobs) {
    generation.logprobs = std::max(1, request.alternatives);
    if (request.echo) generation.prompt_logprobs = request.alternatives;
  }
  const std::uint64_t seed = generation.sampling.seed.value_or(random_seed());
  // Everything that was submitted before a refusal is taken back.
  const auto refuse = [&](HttpResponse refusal) {
    for (const auto& job : completion->choices) job->cancel("another choice was refused");
    return refusal;
  };
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    for (int k = 0; k < request.choices; ++k) {
      GenerationRequest choice = generation;
      choice.prompt_tokens = prompts[p];
      choice.sampling.seed = seed + static_cast<std::uint64_t>(k);
      const auto admitted =
          jobs_.admit({.id = fmt::format("{}-{}", completion->id, completion->choices.size()),
                       .request_id = http.request_id,
                       .model = completion->model,
                       .dtype = std::string(to_string(dtype)),
                       .memory_bytes = info.memory.total(),
                       .logprobs = generation.logprobs,
                       .stop = generation.stop,
                       .ignored = {},
                       .requested = {.prompt_tokens = completion->prompts[p].tokens,
                                     .max_tokens = *generation.max_tokens,
                                     .sampling = choice.sampling},
                       .listed = false});
      if (!admitted) return refuse(shutting_down(admitted.error().message()));
      const std::shared_ptr<Job>& job = admitted.value();
      const Result<RequestId> id = engine.submit(std::move(choice), job);
      if (!id) {
        jobs_.withdraw(*job);
        return refuse(refused_by_engine(
            engine, id.error(), kind == CompletionKind::chat ? "messages" : "prompt", dtype));
      }
      job->set_cancel([weak = std::weak_ptr<Engine>(model.engine), id = id.value()] {
        if (const auto alive = weak.lock()) alive->cancel(id);
      });
      completion->choices.push_back(job);
    }
  }
  core::log(core::LogLevel::info, "request_id={} {} accepted", http.request_id, completion->id);
  if (request.stream) return event_stream(std::make_shared<CompletionStream>(completion));
  return pending_response(std::make_shared<CompletionReply>(completion));
}

}  // namespace llm::server
