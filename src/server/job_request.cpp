#include "server/job_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "server/chat_fields.h"

namespace llm::server {
namespace {

using core::Json;

constexpr std::array<std::string_view, 1> kOperations = {"infer"};
constexpr std::size_t kMostStops = 4;
constexpr std::size_t kLongestStop = 100;  // bytes
constexpr std::int64_t kNoMaximum = std::numeric_limits<std::int64_t>::max();

void read_token_ids(const Field& field, const Json& value, const JobContext& context,
                    JobRequest& request, FieldErrors& errors) {
  const std::int64_t vocab_size = context.model.capabilities.vocab_size;
  std::vector<std::int32_t> ids;
  ids.reserve(value.size());
  for (const Json& item : value) {
    const bool in_range = item.is_number_unsigned() &&
                          item.get<std::uint64_t>() < static_cast<std::uint64_t>(vocab_size);
    if (!in_range) {
      // Part of a prompt: the place is named, the value is not repeated.
      errors.push_back(
          {field.name, fmt::format("token_id(0..{})", vocab_size),
           fmt::format("prompt[{}] must be a token id from 0 to {}", ids.size(), vocab_size - 1),
           nullptr});
      return;
    }
    ids.push_back(item.get<std::int32_t>());
  }
  request.generation.prompt_tokens = std::move(ids);
}

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
              read_token_ids(field, value, context, request, errors);
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

Field stop_field(JobRequest& request) {
  return {"stop",
          "string or list of strings",
          "[]",
          fmt::format("length(0..={}), each 1..={} bytes", kMostStops, kLongestStop),
          "generation ends before any of these texts",
          [&request](const Field& field, const Json& value, FieldErrors& errors) {
            const Json list = value.is_string() ? Json::array({value}) : value;
            const bool strings =
                list.is_array() &&
                std::all_of(list.begin(), list.end(), [](const Json& s) { return s.is_string(); });
            if (!strings) {
              errors.push_back(type_error(field, value));
              return;
            }
            if (list.size() > kMostStops) {
              errors.push_back({field.name, field.constraint,
                                fmt::format("stop must have at most {} entries (got {})",
                                            kMostStops, list.size()),
                                nullptr});
              return;
            }
            for (std::size_t s = 0; s < list.size(); ++s) {
              const std::string& text = list[s].get_ref<const std::string&>();
              if (text.empty() || text.size() > kLongestStop) {
                errors.push_back({field.name, field.constraint,
                                  fmt::format("stop[{}] must have 1 to {} bytes (got {})", s,
                                              kLongestStop, text.size()),
                                  nullptr});
                return;
              }
            }
            request.generation.stop = list.get<std::vector<std::string>>();
          }};
}

Field seed_field(JobRequest& request) {
  return {
      "seed",
      "integer",
      "random, reported in `effective`",
      "range(0..=18446744073709551615)",
      "of the request's random numbers; the same seed gives the same text",
      [&request](const Field& field, const Json& value, FieldErrors& errors) {
        if (value.is_number_unsigned()) {
          request.generation.sampling.seed = value.get<std::uint64_t>();
        } else if (value.is_number()) {
          errors.push_back({field.name, field.constraint,
                            fmt::format("seed must be an integer from 0 to {} (got {})",
                                        std::numeric_limits<std::uint64_t>::max(), describe(value)),
                            value});
        } else {
          errors.push_back(type_error(field, value));
        }
      }};
}

// A token id written in decimal as an object key, or -1.
std::int64_t id_from_key(const std::string& key) {
  constexpr std::size_t kMostDigits = 10;
  if (key.empty() || key.size() > kMostDigits || (key.size() > 1 && key[0] == '0')) return -1;
  std::int64_t id = 0;
  for (const char c : key) {
    if (c < '0' || c > '9') return -1;
    id = id * 10 + (c - '0');
  }
  return id;
}

Field logit_bias_field(JobRequest& request, const JobContext& context) {
  constexpr Range kBias = {-100.0, 100.0};
  return {"logit_bias",
          "object {id: float}",
          "{}",
          fmt::format("{} per token id of the vocabulary", constraint_text(kBias)),
          "added to the logits of these tokens",
          [&request, vocab_size = context.model.capabilities.vocab_size, kBias](
              const Field& field, const Json& value, FieldErrors& errors) {
            if (!value.is_object()) {
              errors.push_back(type_error(field, value));
              return;
            }
            for (const auto& [key, bias] : value.items()) {
              const std::int64_t id = id_from_key(key);
              if (id < 0 || id >= vocab_size) {
                errors.push_back({field.name, field.constraint,
                                  fmt::format("logit_bias: each key must be a token id from 0 to "
                                              "{} (got {})",
                                              vocab_size - 1, describe(Json(key))),
                                  nullptr});
                return;
              }
              const std::string place = fmt::format("logit_bias[{}]", id);
              if (!bias.is_number()) {
                errors.push_back({field.name, "type(float)",
                                  fmt::format("{} must be a float (got {})", place, describe(bias)),
                                  shown_value(bias)});
                return;
              }
              if (!check_float(place, bias, kBias, errors)) return;
              request.generation.sampling.logit_bias.emplace_back(static_cast<std::int32_t>(id),
                                                                  bias.get<float>());
            }
          }};
}

Field dtype_field(JobRequest& request, const JobContext& context) {
  return {"dtype",
          "string",
          "the loaded one",
          "one_of(f32, f16, bf16)",
          "type of weights, cache and matrix inputs; only one that the model supports and that is "
          "loaded can run (the loaded type of a GGUF file may be named as well)",
          [&request, &capabilities = context.model.capabilities](
              const Field& field, const Json& value, FieldErrors& errors) {
            if (!value.is_string()) {
              errors.push_back(type_error(field, value));
              return;
            }
            const std::string& name = value.get_ref<const std::string&>();
            if (name == to_string(capabilities.dtype)) return;
            const std::optional<DType> dtype = dtype_from_name(name);
            if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16) {
              const Json shown = shown_value(value);
              errors.push_back({field.name, field.constraint,
                                fmt::format("Unsupported dtype: {}",
                                            shown.is_null() ? name.substr(0, 64) + "..." : name),
                                shown});
            } else if (!capabilities.supports_dtype(*dtype)) {
              std::vector<std::string_view> supported;
              for (const DType type : capabilities.supported_dtypes) {
                supported.push_back(to_string(type));
              }
              errors.push_back({field.name, fmt::format("one_of({})", fmt::join(supported, ", ")),
                                fmt::format("dtype {} is not supported by this model (supported: "
                                            "{})",
                                            name, fmt::join(supported, ", ")),
                                value});
            } else {
              request.dtype = dtype;
            }
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

}  // namespace

std::int64_t count_characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

std::vector<Field> job_fields(JobRequest& request, const JobContext& context,
                              std::string_view body) {
  SamplingParams& sampling = request.generation.sampling;
  GenerationRequest& generation = request.generation;
  return {
      operation_field(request, context),
      prompt_field(request, context),
      messages_field(request.chat, body, context.chat, "-",
                     "instead of `prompt`: rendered with the model's chat template"),
      chat_template_kwargs_field(request.chat, body),
      int_field("max_tokens", "the smaller of the limit and the remaining context",
                {1, context.limits.max_tokens_limit},
                "most tokens to generate; clipped to the remaining context, see `effective`",
                [&](std::int64_t value) { generation.max_tokens = value; }),
      float_field("temperature", sampling.temperature, {0.0, 2.0}, "0 is greedy"),
      float_field("top_p", sampling.top_p, {0.0, 1.0},
                  "keep the smallest set of tokens with this probability; 1 is off"),
      int_field("top_k", "0", {0, kNoMaximum}, "keep the k most likely tokens; 0 is off",
                [&](std::int64_t value) {
                  sampling.top_k = static_cast<std::int32_t>(
                      std::min<std::int64_t>(value, std::numeric_limits<std::int32_t>::max()));
                }),
      float_field("min_p", sampling.min_p, {0.0, 1.0},
                  "drop tokens below this share of the likeliest; 0 is off"),
      float_field("repetition_penalty", sampling.repetition_penalty, {0.0, 2.0, true},
                  "divides positive and multiplies negative logits of recent tokens; 1 is off"),
      int_field("repeat_last_n", std::to_string(sampling.repeat_last_n), {0, kNoMaximum},
                "tokens that the repetition penalty looks back; 0 is all, the prompt included",
                [&](std::int64_t value) {
                  sampling.repeat_last_n = static_cast<std::int32_t>(
                      std::min<std::int64_t>(value, std::numeric_limits<std::int32_t>::max()));
                }),
      float_field("presence_penalty", sampling.presence_penalty, {-2.0, 2.0},
                  "subtracted once from the logit of each generated token"),
      float_field("frequency_penalty", sampling.frequency_penalty, {-2.0, 2.0},
                  "subtracted from a token's logit for each time it was generated"),
      stop_field(request),
      seed_field(request),
      int_field("logprobs", "0", {0, 20}, "alternatives reported per token",
                [&](std::int64_t value) { generation.logprobs = static_cast<int>(value); }),
      logit_bias_field(request, context),
      dtype_field(request, context),
      text_field("model", "-", "must be the model served here, else 404",
                 [&](const std::string& value) { request.model = value; }),
      routing_field("hive_id", "the scheduler's; no effect here"),
      routing_field("worker_id", "the scheduler's; no effect here"),
      routing_field("device", "the scheduler's; no effect here"),
      bool_field("stream", "true", "no effect: the reply always names the stream", [](bool) {}),
  };
}

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

std::string job_fields_markdown() {
  JobRequest request;
  const ModelInfo model;
  const JobContext context{.model = model, .limits = {}, .chat = {}};
  return markdown_table(job_fields(request, context, "{}"));
}

}  // namespace llm::server
