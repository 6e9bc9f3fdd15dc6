#include "server/job_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "server/chat_fields.h"
#include "server/generation_fields.h"

namespace llm::server {
namespace {

using core::Json;

constexpr std::array<std::string_view, 1> kOperations = {"infer"};

Field prompt_field(JobRequest& request, const JobContext& context) {
  const std::int64_t limit = context.limits.max_prompt_chars;
  return {"prompt",
          "string or token ids",
          "required",
          fmt::format("length(1..={})", limit),
          "the text to continue, in characters; or token ids, used as they are. It must leave room "
          "for one token in the context",
          [&request, context, limit](const Field& field, const Json& value, FieldErrors& errors) {
            request.has_prompt = true;
            if (!value.is_string() && !value.is_array()) {
              FieldError error = type_error(field, value);
              error.value = nullptr;
              error.message = fmt::format("prompt must be a string or a list of token ids (got {})",
                                          value.type_name());
              errors.push_back(std::move(error));
              return;
            }
            const bool is_text = value.is_string();
            const std::int64_t length = is_text
                                            ? count_characters(value.get_ref<const std::string&>())
                                            : static_cast<std::int64_t>(value.size());
            if (length == 0) {
              errors.push_back({field.name, field.constraint, "prompt must not be empty", nullptr});
            } else if (length > limit) {
              errors.push_back({field.name, field.constraint,
                                fmt::format("prompt must have at most {} {} (got {})", limit,
                                            is_text ? "characters" : "token ids", length),
                                nullptr});
            } else if (is_text) {
              request.generation.prompt = value.get<std::string>();
            } else {
              const std::int64_t vocab_size = context.model.capabilities.vocab_size;
              auto ids = read_token_ids(value, field.name, vocab_size);
              if (ids) {
                request.generation.prompt_tokens = std::move(ids).value();
              } else {
                errors.push_back({field.name, fmt::format("token_id(0..{})", vocab_size),
                                  ids.error().message(), nullptr});
              }
            }
          }};
}

Field operation_field(JobRequest& request, const JobContext& context) {
  const std::string known = fmt::format("{}", fmt::join(kOperations, ", "));
  return {"operation",
          "string",
          context.operation_required ? "required" : "infer",
          fmt::format("one_of({})", known),
          "what to do; on the deprecated route `/v1/inference` it may be left out",
          [&request, known](const Field& field, const Json& value, FieldErrors& errors) {
            if (value.is_string() && std::find(kOperations.begin(), kOperations.end(),
                                               value.get<std::string>()) != kOperations.end()) {
              request.operation = value.get<std::string>();
              return;
            }
            request.operation = "?";
            errors.push_back(
                {field.name, field.constraint,
                 fmt::format("operation must be one of: {} (got {})", known, describe(value)),
                 shown_value(value)});
          }};
}

Field routing_field(std::string_view name, std::string_view meaning) {
  return {std::string(name),
          "string or integer",
          "-",
          "",
          std::string(meaning),
          [](const Field& field, const Json& value, FieldErrors& errors) {
            if (!value.is_string() && !value.is_number_integer()) {
              errors.push_back(type_error(field, value));
            }
          }};
}

// The schema of `body`, its readers bound to `request`; all three must outlive the rows.
std::vector<Field> job_fields(JobRequest& request, const JobContext& context,
                              std::string_view body) {
  GenerationRequest& generation = request.generation;
  std::vector<Field> fields = {
      operation_field(request, context),
      prompt_field(request, context),
      messages_field(request.chat, body, context.chat, "-",
                     "instead of `prompt`: rendered with the model's chat template"),
      chat_template_kwargs_field(request.chat, body),
      int_field("max_tokens", "the smaller of the limit and the remaining context",
                {1, context.limits.max_tokens_limit},
                "most tokens to generate; clipped to the remaining context, see `effective`",
                [&](std::int64_t value) { generation.max_tokens = value; }),
  };
  append(fields, sampling_fields(generation, context.model));
  append(
      fields,
      {
          int_field("logprobs", "0", {0, 20}, "alternatives reported per token",
                    [&](std::int64_t value) { generation.logprobs = static_cast<int>(value); }),
          dtype_field(generation, context.model),
          text_field("model", "-", "must be the model served here, else 404",
                     [&](const std::string& value) { request.model = value; }),
          routing_field("hive_id", "the scheduler's; no effect here"),
          routing_field("worker_id", "the scheduler's; no effect here"),
          routing_field("device", "the scheduler's; no effect here"),
          bool_field("stream", "true", "no effect: the reply always names the stream", [](bool) {}),
      });
  return fields;
}

}  // namespace

Result<ParsedJob> parse_job(std::string_view body, const JobContext& context) {
  LLM_ASSIGN_OR_RETURN(const Json object, parse_body(body));
  ParsedJob parsed;
  const std::vector<Field> fields = job_fields(parsed.request, context, body);
  read_fields(object, fields, context.strict, parsed.errors, parsed.request.ignored);
  if (parsed.request.operation.empty()) {
    parsed.request.operation = kOperations[0];
    if (context.operation_required) {
      parsed.errors.push_back(
          {"operation", "required",
           fmt::format("operation is required (known: {})", fmt::join(kOperations, ", ")),
           nullptr});
    }
  }
  const bool has_messages = object.contains("messages") && !object["messages"].is_null();
  if (!parsed.request.has_prompt && !has_messages) {
    parsed.errors.push_back({"prompt", "required", "prompt is required", nullptr});
  } else if (parsed.request.has_prompt && has_messages) {
    parsed.errors.push_back(
        {"messages", "exclusive(prompt)", "messages and prompt cannot both be given", nullptr});
  }
  if (!has_messages && !parsed.request.chat.template_kwargs.empty()) {
    parsed.errors.push_back({"chat_template_kwargs", "needs(messages)",
                             "chat_template_kwargs belongs with messages", nullptr});
  }
  return parsed;
}

std::vector<Field> documented_job_fields() {
  JobRequest request;
  const ModelInfo model;
  const JobContext context{.model = model, .limits = {}, .chat = {}};
  return without_readers(job_fields(request, context, "{}"));
}

}  // namespace llm::server
