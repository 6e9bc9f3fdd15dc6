#include "server/completion_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "server/chat_fields.h"
#include "server/generation_fields.h"

namespace llm::server {
namespace {

using core::Json;

constexpr int kMostChoices = 64;  // per prompt, and of a request
constexpr int kMostAlternatives = 20;
constexpr std::int64_t kDefaultTextTokens = 16;

// What read_fields cannot see because it needs several fields at once.
struct Wishes {
  std::optional<int> top_logprobs;
  std::optional<std::int64_t> best_of;
  std::optional<bool> generation_prompt;
  std::optional<std::int64_t> max_tokens;
  std::optional<std::int64_t> max_completion_tokens;
  std::string tool_choice;
  bool has_stream_options = false;
};

// A field of the OpenAI API of which only some values can be honoured: those for which `usable` is
// true have no effect here, the others are refused with the reason.
Field limited_field(std::string_view name, std::string_view type, std::string_view default_value,
                    std::string_view constraint, std::string_view reason,
                    bool (*usable)(const Json&)) {
  return {std::string(name),
          std::string(type),
          std::string(default_value),
          std::string(constraint),
          std::string(reason),
          [usable, reason = std::string(reason)](const Field& field, const Json& value,
                                                 FieldErrors& errors) {
            if (usable(value)) return;
            errors.push_back({field.name, field.constraint,
                              fmt::format("{} cannot be honoured: {}", field.name, reason),
                              shown_value(value)});
          }};
}

bool never(const Json&) { return false; }
bool is_text_format(const Json& value) {
  return value.is_object() && value.value("type", Json()) == "text";
}
bool is_text_modality(const Json& value) { return value == Json::array({"text"}); }
bool is_true(const Json& value) { return value == true; }

Field seed_or_minus_one(Field field) {
  field.meaning += "; -1 is random. Choice k draws with seed + k";
  field.read = [read = field.read](const Field& self, const Json& value, FieldErrors& errors) {
    // As numbers, -1 and the largest unsigned one are equal.
    if (value.is_number_unsigned() || value != -1) read(self, value, errors);
  };
  return field;
}

Field repeat_penalty_alias(GenerationRequest& generation) {
  Field alias = float_field("repeat_penalty", generation.sampling.repetition_penalty,
                            {0.0, 2.0, true}, "another name of `repetition_penalty`");
  return alias;
}

Field stream_options_field(CompletionRequest& request, Wishes& wishes, bool strict) {
  return {"stream_options",
          "object",
          "{}",
          "include_usage: boolean",
          "with `stream` only; `include_usage`: one more chunk at the end, with the whole `usage`",
          [&, strict](const Field& field, const Json& value, FieldErrors& errors) {
            wishes.has_stream_options = true;
            if (!value.is_object()) {
              errors.push_back(type_error(field, value));
              return;
            }
            for (const auto& [name, option] : value.items()) {
              if (option.is_null()) continue;
              if (name == "include_usage" && option.is_boolean()) {
                request.include_usage = option.get<bool>();
              } else if (name == "include_usage") {
                errors.push_back({"stream_options.include_usage", "type(boolean)",
                                  fmt::format("stream_options.include_usage must be a boolean "
                                              "(got {})",
                                              describe(option)),
                                  shown_value(option)});
              } else {
                report_unknown("stream_options." + name, strict, errors, request.ignored);
              }
            }
          }};
}

// Fields that both kinds have.
std::vector<Field> common_fields(CompletionRequest& request, Wishes& wishes,
                                 const CompletionContext& context) {
  std::vector<Field> fields = {
      text_field("model", "the served one", "must be the model served here, else 404",
                 [&](const std::string& value) { request.model = value; }),
      int_field("n", "1", {1, kMostChoices}, "choices per prompt",
                [&](std::int64_t value) { request.choices = static_cast<int>(value); }),
      bool_field("stream", "false", "server-sent events instead of one reply",
                 [&](bool value) { request.stream = value; }),
      stream_options_field(request, wishes, context.strict),
  };
  std::vector<Field> sampling = sampling_fields(request.generation, context.model);
  for (Field& field : sampling) {
    if (field.name == "seed") field = seed_or_minus_one(std::move(field));
  }
  append(fields, std::move(sampling));
  append(fields,
         {repeat_penalty_alias(request.generation),
          bool_field("ignore_eos", "false", "end tokens do not end the text",
                     [&](bool value) { request.generation.ignore_eos = value; }),
          int_field("min_tokens", "0", {0, context.limits.max_tokens_limit},
                    "neither an end token nor a stop text before so many tokens",
                    [&](std::int64_t value) { request.generation.min_tokens = value; }),
          dtype_field(request.generation, context.model),
          text_field("user", "-",
                     "who asks: users take turns when many requests wait or prompts are long",
                     [&](const std::string& value) { request.generation.client = value; })});
  return fields;
}

Field tool_choice_field(Wishes& wishes) {
  return {"tool_choice",
          "string",
          "auto",
          "one_of(auto, none)",
          "`none` leaves the tools out of the prompt; the model cannot be forced to call one",
          [&wishes](const Field& field, const Json& value, FieldErrors& errors) {
            if (value == "auto" || value == "none") {
              wishes.tool_choice = value.get<std::string>();
            } else {
              errors.push_back({field.name, field.constraint,
                                fmt::format("tool_choice must be auto or none (got {}): the model "
                                            "cannot be forced to call a tool",
                                            describe(value)),
                                shown_value(value)});
            }
          }};
}

std::vector<Field> chat_fields(CompletionRequest& request, Wishes& wishes,
                               const CompletionContext& context, std::string_view body) {
  const IntRange tokens = {1, context.limits.max_tokens_limit};
  std::vector<Field> fields = {
      messages_field(request.chat, body, context.chat, "required",
                     "rendered with the model's chat template"),
      int_field("max_completion_tokens", "the smaller of the limit and the remaining context",
                tokens,
                "most tokens to generate; clipped to the remaining context, see `effective`",
                [&](std::int64_t value) { wishes.max_completion_tokens = value; }),
      int_field("max_tokens", "-", tokens,
                "the older name of `max_completion_tokens`, which wins over it",
                [&](std::int64_t value) { wishes.max_tokens = value; }),
  };
  append(fields, common_fields(request, wishes, context));
  append(fields,
         {bool_field("logprobs", "false", "report the log-probability of each token",
                     [&](bool value) { request.logprobs = value; }),
          int_field("top_logprobs", "0", {0, kMostAlternatives},
                    "alternatives reported per token; needs `logprobs`",
                    [&](std::int64_t value) { wishes.top_logprobs = static_cast<int>(value); }),
          tools_field(request.chat, body), tool_choice_field(wishes),
          limited_field("parallel_tool_calls", "boolean", "true", "one_of(true)",
                        "how many calls a model writes is up to it", is_true),
          documents_field(request.chat, body), chat_template_kwargs_field(request.chat, body),
          bool_field("add_generation_prompt", "true, unless `continue_final_message` is",
                     "end the prompt with what comes before the assistant's next message",
                     [&](bool value) { wishes.generation_prompt = value; }),
          bool_field("continue_final_message", "false",
                     "end the prompt inside of the last message, so that the model goes on with it",
                     [&](bool value) { request.chat.continue_final_message = value; }),
          limited_field("response_format", "object", "{\"type\":\"text\"}", "one_of(text)",
                        "the output is not held to a grammar", is_text_format),
          limited_field("modalities", "list of strings", "[\"text\"]", "one_of([\"text\"])",
                        "the model gives text only", is_text_modality),
          limited_field("audio", "object", "-", "null", "the model gives text only", never),
          limited_field("functions", "list of objects", "-", "null", "use `tools`", never),
          limited_field("function_call", "string or object", "-", "null", "use `tool_choice`",
                        never)});
  return fields;
}

// One prompt of a list, or the only one.
std::optional<FieldError> read_prompt(const Json& value, std::string_view name,
                                      std::int64_t vocab_size, TextPrompt& prompt) {
  if (value.is_string()) {
    prompt.text = value.get<std::string>();
    return std::nullopt;
  }
  if (!value.is_array() || value.empty()) {
    return FieldError{"prompt", "type(string or token ids)",
                      fmt::format("{} must be a string or a list of token ids, not empty (got {})",
                                  name, value.is_array() ? "an empty list" : value.type_name()),
                      nullptr};
  }
  auto ids = read_token_ids(value, name, vocab_size);
  if (!ids) {
    return FieldError{"prompt", fmt::format("token_id(0..{})", vocab_size), ids.error().message(),
                      nullptr};
  }
  prompt.is_tokens = true;
  prompt.tokens = std::move(ids).value();
  return std::nullopt;
}

Field prompt_field(CompletionRequest& request, std::int64_t vocab_size) {
  return {"prompt",
          "string, token ids, or a list of either",
          "required",
          fmt::format("length(1..={}) of a list", kMostChoices),
          "what to continue; a list has one answer (or `n`) per entry. Text is encoded with the "
          "model's begin token",
          [&request, vocab_size](const Field& field, const Json& value, FieldErrors& errors) {
            const bool is_list = value.is_array() && !value.empty() && !value.front().is_number();
            const std::size_t count = is_list ? value.size() : 1;
            if (count > static_cast<std::size_t>(kMostChoices)) {
              errors.push_back(
                  {field.name, field.constraint,
                   fmt::format("prompt must have at most {} entries (got {})", kMostChoices, count),
                   nullptr});
              return;
            }
            request.prompts.resize(count);
            for (std::size_t p = 0; p < count; ++p) {
              const std::string name = is_list ? fmt::format("prompt[{}]", p) : "prompt";
              if (auto error = read_prompt(is_list ? value[p] : value, name, vocab_size,
                                           request.prompts[p])) {
                errors.push_back(std::move(*error));
                return;
              }
            }
          }};
}

std::vector<Field> text_fields(CompletionRequest& request, Wishes& wishes,
                               const CompletionContext& context) {
  std::vector<Field> fields = {
      prompt_field(request, context.model.capabilities.vocab_size),
      int_field(
          "max_tokens", std::to_string(kDefaultTextTokens), {0, context.limits.max_tokens_limit},
          "most tokens to generate; clipped to the remaining context, see `effective`. 0 with "
          "`echo` only: nothing but the prompt",
          [&](std::int64_t value) { wishes.max_tokens = value; }),
  };
  append(fields, common_fields(request, wishes, context));
  append(fields,
         {int_field("logprobs", "-", {0, kMostAlternatives},
                    "report the log-probability of each token, with so many alternatives",
                    [&](std::int64_t value) {
                      request.logprobs = true;
                      request.alternatives = static_cast<int>(value);
                    }),
          bool_field("echo", "false",
                     "begin the text with the prompt; with `logprobs`, report its tokens too",
                     [&](bool value) { request.echo = value; }),
          int_field("best_of", "`n`", {1, kMostChoices}, "only what `n` is: choices are not ranked",
                    [&](std::int64_t value) { wishes.best_of = value; }),
          limited_field("suffix", "string", "-", "null", "text is not filled in before a suffix",
                        never)});
  return fields;
}

std::vector<Field> fields_of(CompletionKind kind, CompletionRequest& request, Wishes& wishes,
                             const CompletionContext& context, std::string_view body) {
  return kind == CompletionKind::chat ? chat_fields(request, wishes, context, body)
                                      : text_fields(request, wishes, context);
}

// The rules that concern several fields.
void settle_chat(CompletionRequest& request, const Wishes& wishes, FieldErrors& errors) {
  request.generation.max_tokens =
      wishes.max_completion_tokens ? wishes.max_completion_tokens : wishes.max_tokens;
  request.alternatives = wishes.top_logprobs.value_or(0);
  if (wishes.top_logprobs.value_or(0) > 0 && !request.logprobs) {
    errors.push_back(
        {"top_logprobs", "needs(logprobs)", "top_logprobs needs logprobs to be true", nullptr});
  }
  request.chat.add_generation_prompt =
      wishes.generation_prompt.value_or(!request.chat.continue_final_message);
  if (wishes.tool_choice == "none") request.chat.tools.clear();
}

void settle_text(CompletionRequest& request, const Wishes& wishes, FieldErrors& errors) {
  request.generation.max_tokens = wishes.max_tokens.value_or(kDefaultTextTokens);
  if (*request.generation.max_tokens == 0 && !request.echo) {
    errors.push_back({"max_tokens", "range(1..)", "max_tokens must be at least 1 without echo", 0});
  }
  if (wishes.best_of && *wishes.best_of != request.choices) {
    errors.push_back({"best_of", fmt::format("one_of({})", request.choices),
                      fmt::format("best_of must be n, {} (got {}): choices are not ranked",
                                  request.choices, *wishes.best_of),
                      *wishes.best_of});
  }
}

}  // namespace

Result<ParsedCompletion> parse_completion(CompletionKind kind, std::string_view body,
                                          const CompletionContext& context) {
  LLM_ASSIGN_OR_RETURN(const Json object, parse_body(body));
  ParsedCompletion parsed;
  CompletionRequest& request = parsed.request;
  FieldErrors& errors = parsed.errors;
  Wishes wishes;
  read_fields(object, fields_of(kind, request, wishes, context, body), context.strict, errors,
              request.ignored);
  const char* const prompt = kind == CompletionKind::chat ? "messages" : "prompt";
  if (!object.contains(prompt) || object[prompt].is_null()) {
    errors.push_back({prompt, "required", fmt::format("{} is required", prompt), nullptr});
  }
  if (kind == CompletionKind::chat) {
    settle_chat(request, wishes, errors);
  } else {
    settle_text(request, wishes, errors);
  }
  if (wishes.has_stream_options && !request.stream) {
    errors.push_back(
        {"stream_options", "needs(stream)", "stream_options needs stream to be true", nullptr});
  }
  const std::size_t total =
      static_cast<std::size_t>(request.choices) * std::max<std::size_t>(1, request.prompts.size());
  if (total > static_cast<std::size_t>(kMostChoices)) {
    errors.push_back({"n", fmt::format("prompts*n(..={})", kMostChoices),
                      fmt::format("n times the number of prompts must be at most {} (got {})",
                                  kMostChoices, total),
                      request.choices});
  }
  // More than that would wait for places that there are not.
  const std::int64_t places = context.model.max_sequences + context.limits.max_queue;
  if (static_cast<std::int64_t>(total) > places) {
    errors.push_back(
        {"n", fmt::format("prompts*n(..={})", places),
         fmt::format("{} choices are more than this worker takes at once, {}", total, places),
         request.choices});
  }
  const GenerationRequest& generation = request.generation;
  if (generation.max_tokens && generation.min_tokens > *generation.max_tokens) {
    errors.push_back({"min_tokens", "range(0..=max_tokens)",
                      fmt::format("min_tokens must be at most max_tokens, {} (got {})",
                                  *generation.max_tokens, generation.min_tokens),
                      generation.min_tokens});
  }
  return parsed;
}

std::vector<Field> documented_completion_fields(CompletionKind kind) {
  CompletionRequest request;
  Wishes wishes;
  const ModelInfo model;
  const CompletionContext context{.model = model, .limits = {}, .chat = {}};
  return without_readers(fields_of(kind, request, wishes, context, "{}"));
}

}  // namespace llm::server
