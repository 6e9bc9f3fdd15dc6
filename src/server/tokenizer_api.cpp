#include "server/tokenizer_api.h"

#include <fmt/format.h>

#include "core/utf8.h"
#include "server/api_error.h"
#include "server/chat_fields.h"
#include "server/generation_fields.h"

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
            auto read = read_token_ids(value, field.name, vocab_size);
            if (read) {
              ids = std::move(read).value();
            } else {
              errors.push_back({field.name, field.constraint, read.error().message(), nullptr});
            }
          }};
}

// What the caller can mend is 400; the rest is the worker's fault.
HttpResponse tokenizer_error(std::string_view field, const Status& status) {
  if (status.code() == StatusCode::invalid_argument || status.code() == StatusCode::unsupported ||
      status.code() == StatusCode::not_found) {  // the model has no tokenizer
    return field_error_response({{std::string(field), "tokenizer", status.message(), nullptr}});
  }
  return error_response(ApiError::internal, status.message());
}

struct TokenizeBody {
  std::string content;
  TokenizeOptions options{.add_special = false};
  bool with_pieces = false;
};

std::vector<Field> tokenize_fields(TokenizeBody& body) {
  return {text_field("content", "required", "the text to turn into tokens",
                     [&](const std::string& value) { body.content = value; }),
          bool_field("add_special", "false", "add BOS and the like",
                     [&](bool value) { body.options.add_special = value; }),
          bool_field("parse_special", "true",
                     "control tokens written in the text are recognised; else they are text",
                     [&](bool value) { body.options.parse_special = value; }),
          bool_field("with_pieces", "false",
                     "each token as `{\"id\",\"piece\"}`: its text, or its bytes where they are no "
                     "valid UTF-8 alone",
                     [&](bool value) { body.with_pieces = value; })};
}

// A token as llama-server describes it.
Json piece_json(std::int32_t id, const std::string& piece) {
  if (core::is_valid_utf8(piece)) return {{"id", id}, {"piece", piece}};
  Json bytes = Json::array();
  for (const char c : piece) bytes.push_back(static_cast<unsigned char>(c));
  return {{"id", id}, {"piece", std::move(bytes)}};
}

struct TemplateBody {
  ChatRequest chat;
  std::optional<bool> generation_prompt;
};

std::vector<Field> template_fields(TemplateBody& body, std::string_view text,
                                   const Status& usable) {
  return {messages_field(body.chat, text, usable, "required",
                         "rendered with the model's chat template"),
          tools_field(body.chat, text),
          documents_field(body.chat, text),
          chat_template_kwargs_field(body.chat, text),
          bool_field("add_generation_prompt", "true, unless `continue_final_message` is",
                     "end with what comes before the assistant's next message",
                     [&](bool value) { body.generation_prompt = value; }),
          bool_field("continue_final_message", "false",
                     "end inside of the last message, so that the model goes on with it",
                     [&](bool value) { body.chat.continue_final_message = value; })};
}

}  // namespace

void TokenizerApi::add_routes(Router& router) {
  router.add({.method = "POST",
              .pattern = "/tokenize",
              .slow = true,
              .summary = "the token ids of a text: `{\"tokens\":[ids]}`",
              .body = "TokenizeRequest",
              .handle = [this](const HttpRequest& r) { return tokenize(r); }});
  router.add({.method = "POST",
              .pattern = "/detokenize",
              .slow = true,
              .summary = "the text of token ids: `{\"content\"}`",
              .body = "DetokenizeRequest",
              .handle = [this](const HttpRequest& r) { return detokenize(r); }});
  router.add({.method = "POST",
              .pattern = "/apply-template",
              .slow = true,
              .summary = "the prompt that the model's chat template makes of a conversation: "
                         "`{\"prompt\"}`",
              .body = "ApplyTemplateRequest",
              .handle = [this](const HttpRequest& r) { return apply_template(r); }});
}

HttpResponse TokenizerApi::tokenize(const HttpRequest& request) const {
  const ModelState::Snapshot now = model_.snapshot();
  if (!now.engine) return model_not_ready(now);
  TokenizeBody wanted;
  BodyReader body;
  body.read(request, tokenize_fields(wanted), "content");
  if (body.refusal) return std::move(*body.refusal);
  const auto tokens = now.engine->tokenize(wanted.content, wanted.options);
  if (!tokens) return tokenizer_error("content", tokens.error());
  if (!wanted.with_pieces) return body.reply({{"tokens", tokens.value()}});
  Json list = Json::array();
  for (const std::int32_t id : tokens.value()) {
    const auto piece = now.engine->token_piece(id);
    if (!piece) return tokenizer_error("content", piece.error());
    list.push_back(piece_json(id, piece.value()));
  }
  return body.reply({{"tokens", std::move(list)}});
}

HttpResponse TokenizerApi::detokenize(const HttpRequest& request) const {
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

HttpResponse TokenizerApi::apply_template(const HttpRequest& request) const {
  const ModelState::Snapshot now = model_.snapshot();
  if (!now.engine) return model_not_ready(now);
  const Status usable = now.engine->chat_status();
  TemplateBody wanted;
  BodyReader body;
  body.read(request, template_fields(wanted, request.body, usable), "messages");
  if (body.refusal) return std::move(*body.refusal);
  ChatRequest& chat = wanted.chat;
  chat.add_generation_prompt = wanted.generation_prompt.value_or(!chat.continue_final_message);
  const Result<RenderedChat> rendered = now.engine->render_chat(chat);
  if (!rendered) return chat_error_response(rendered.error());
  if (auto refusal =
          report_unused_kwargs(*rendered, request.header("x-strict") == "1", body.ignored)) {
    return std::move(*refusal);
  }
  return body.reply({{"prompt", rendered->prompt}});
}

std::vector<Field> documented_tokenize_fields() {
  TokenizeBody body;
  return without_readers(tokenize_fields(body));
}

std::vector<Field> documented_detokenize_fields() {
  std::vector<std::int32_t> ids;
  return without_readers({token_list_field(ids, 0)});
}

std::vector<Field> documented_apply_template_fields() {
  TemplateBody body;
  const Status usable;
  return without_readers(template_fields(body, "{}", usable));
}

}  // namespace llm::server
