#include "server/operations_api.h"

#include <fmt/format.h>

#include "server/api_error.h"
#include "server/chat_fields.h"
#include "server/field_schema.h"
#include "server/jobs_api.h"

namespace llm::server {
namespace {

using core::Json;

// Fields are read, or all their problems reported.
struct BodyReader {
  FieldErrors errors;
  std::vector<std::string> ignored;
  std::optional<HttpResponse> refusal;

  void read(const HttpRequest& request, const std::vector<Field>& fields,
            std::string_view required) {
    const Result<Json> body = parse_body(request.body);
    if (!body) {
      refusal = error_response(ApiError::invalid_request, body.error().message());
      return;
    }
    read_fields(body.value(), fields, request.header("x-strict") == "1", errors, ignored);
    const std::string name(required);
    if (!body.value().contains(name) || body.value()[name].is_null()) {
      errors.push_back({name, "required", fmt::format("{} is required", name), nullptr});
    }
    if (!errors.empty()) refusal = field_error_response(errors);
  }

  HttpResponse reply(Json json) const {
    if (!ignored.empty()) json["ignored"] = ignored;
    return json_response(json);
  }
};

// A member of llama-server's API that has one possible value here.
Field fixed_bool(std::string_view name, bool only, std::string_view meaning,
                 std::string_view reason) {
  Field field = bool_field(name, only ? "true" : "false", meaning, [](bool) {});
  field.constraint = fmt::format("one_of({})", only);
  field.read = [only, reason = std::string(reason)](const Field& self, const Json& value,
                                                    FieldErrors& errors) {
    if (!value.is_boolean()) {
      errors.push_back(type_error(self, value));
    } else if (value.get<bool>() != only) {
      errors.push_back({self.name, self.constraint,
                        fmt::format("{} must be {}: {}", self.name, only, reason), value});
    }
  };
  return field;
}

Field token_list_field(std::vector<std::int32_t>& ids, std::int64_t vocab_size) {
  return {"tokens",
          "list of token ids",
          "required",
          fmt::format("token_id(0..{})", vocab_size),
          "the tokens to turn into text",
          [&ids, vocab_size](const Field& field, const Json& value, FieldErrors& errors) {
            if (!value.is_array()) {
              errors.push_back(type_error(field, value));
              return;
            }
            for (const Json& item : value) {
              if (!item.is_number_unsigned() ||
                  item.get<std::uint64_t>() >= static_cast<std::uint64_t>(vocab_size)) {
                errors.push_back({field.name, field.constraint,
                                  fmt::format("tokens[{}] must be a token id from 0 to {}",
                                              ids.size(), vocab_size - 1),
                                  nullptr});
                return;
              }
              ids.push_back(item.get<std::int32_t>());
            }
          }};
}

// What the caller can mend is 400; the rest is the worker's fault.
HttpResponse tokenizer_error(std::string_view field, const Status& status) {
  if (status.code() == StatusCode::invalid_argument || status.code() == StatusCode::unsupported) {
    return field_error_response({{std::string(field), "tokenizer", status.message(), nullptr}});
  }
  return error_response(ApiError::internal, status.message());
}

}  // namespace

bool is_busy(const ModelState::Snapshot& model, const JobStore& jobs) {
  return model.engine != nullptr && jobs.active() > 0;
}

void OperationsApi::add_routes(Router& router) {
  router.add({.method = "GET",
              .pattern = "/health",
              .access = Access::open,
              .handle = [this](const HttpRequest&) { return health(); }});
  router.add({.method = "GET",
              .pattern = "/v1/ready",
              .access = Access::open,
              .handle = [this](const HttpRequest&) { return ready(); }});
  router.add({.method = "GET",
              .pattern = "/v1/loading/progress",
              .access = Access::open,
              .streams = true,
              .handle = [this](const HttpRequest&) {
                return event_stream(std::make_shared<LoadingStream>(model_));
              }});
  router.add({.method = "GET", .pattern = "/v1/model", .handle = [this](const HttpRequest&) {
                return model();
              }});
  router.add({.method = "POST",
              .pattern = "/tokenize",
              .slow = true,
              .handle = [this](const HttpRequest& r) { return tokenize(r); }});
  router.add({.method = "POST",
              .pattern = "/detokenize",
              .slow = true,
              .handle = [this](const HttpRequest& r) { return detokenize(r); }});
  router.add({.method = "POST",
              .pattern = "/apply-template",
              .slow = true,
              .handle = [this](const HttpRequest& r) { return apply_template(r); }});
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
  const bool ready = loaded && !draining_;
  Json json = {{"ready", ready},
               {"state", loaded && is_busy(now, jobs_)            ? "busy"
                         : loaded                                 ? "idle"
                         : now.stage == ModelState::Stage::failed ? "error"
                                                                  : "loading"},
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
  Json dtypes = Json::array();
  for (const DType dtype : can.supported_dtypes) dtypes.push_back(to_string(dtype));
  return json_response({{"model", served_model_name(options_, info)},
                        {"format", info.format},
                        {"device", info.device},
                        {"architecture_family", can.architecture_family},
                        {"dtype", to_string(can.dtype)},
                        {"supported_dtypes", std::move(dtypes)},
                        {"is_quantized", can.is_quantized},
                        {"max_context_length", can.max_context_length},
                        {"trained_context_length", info.trained_context_length},
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

HttpResponse OperationsApi::tokenize(const HttpRequest& request) const {
  const ModelState::Snapshot now = model_.snapshot();
  if (!now.engine) return model_not_ready(now);
  std::string content;
  bool add_special = false;
  BodyReader body;
  body.read(request,
            {text_field("content", "required", "the text to turn into tokens",
                        [&](const std::string& value) { content = value; }),
             bool_field("add_special", "false", "add BOS and the like",
                        [&](bool value) { add_special = value; }),
             fixed_bool("parse_special", true, "control tokens written in the text are recognised",
                        "they are always recognised here"),
             fixed_bool("with_pieces", false, "the text of each token beside its id",
                        "pieces are not given here")},
            "content");
  if (body.refusal) return std::move(*body.refusal);
  const auto tokens = now.engine->tokenize(content, add_special);
  if (!tokens) return tokenizer_error("content", tokens.error());
  return body.reply({{"tokens", tokens.value()}});
}

HttpResponse OperationsApi::detokenize(const HttpRequest& request) const {
  const ModelState::Snapshot now = model_.snapshot();
  if (!now.engine) return model_not_ready(now);
  std::vector<std::int32_t> ids;
  BodyReader body;
  body.read(request, {token_list_field(ids, now.engine->info().capabilities.vocab_size)}, "tokens");
  if (body.refusal) return std::move(*body.refusal);
  const auto text = now.engine->detokenize(ids);
  if (!text) return tokenizer_error("tokens", text.error());
  return body.reply({{"content", text.value()}});
}

HttpResponse OperationsApi::apply_template(const HttpRequest& request) const {
  const ModelState::Snapshot now = model_.snapshot();
  if (!now.engine) return model_not_ready(now);
  const Status usable = now.engine->chat_status();
  ChatRequest chat;
  std::optional<bool> generation_prompt;
  BodyReader body;
  body.read(request,
            {messages_field(chat, request.body, usable, "required",
                            "rendered with the model's chat template"),
             tools_field(chat, request.body), documents_field(chat, request.body),
             chat_template_kwargs_field(chat, request.body),
             bool_field("add_generation_prompt", "true, unless `continue_final_message` is",
                        "end with what comes before the assistant's next message",
                        [&](bool value) { generation_prompt = value; }),
             bool_field("continue_final_message", "false",
                        "end inside of the last message, so that the model goes on with it",
                        [&](bool value) { chat.continue_final_message = value; })},
            "messages");
  if (body.refusal) return std::move(*body.refusal);
  chat.add_generation_prompt = generation_prompt.value_or(!chat.continue_final_message);
  const Result<RenderedChat> rendered = now.engine->render_chat(chat);
  if (!rendered) return chat_error_response(rendered.error());
  if (auto refusal =
          report_unused_kwargs(*rendered, request.header("x-strict") == "1", body.ignored)) {
    return std::move(*refusal);
  }
  return body.reply({{"prompt", rendered->prompt}});
}

}  // namespace llm::server
