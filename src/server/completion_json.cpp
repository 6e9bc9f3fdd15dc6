#include "server/completion_json.h"

#include <fmt/format.h>

#include "core/utf8.h"
#include "server/chat_fields.h"
#include "server/job_events.h"

namespace llm::server {
namespace {

using core::Json;

Json bytes_json(std::string_view bytes) {
  Json list = Json::array();
  for (const char c : bytes) list.push_back(static_cast<unsigned char>(c));
  return list;
}

// A token's text; of a part of a character its bytes, in the way of the OpenAI API.
std::string token_text(const std::string& bytes) {
  if (core::is_valid_utf8(bytes)) return bytes;
  std::string text = "bytes:";
  for (const char c : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return text;
}

Json chat_token(const TokenLogprob& token) {
  return {{"token", token_text(token.bytes)},
          {"logprob", logprob_json(token.logprob)},
          {"bytes", bytes_json(token.bytes)}};
}

std::span<const TokenLogprob> shown_alternatives(const Completion& completion,
                                                 const TokenEvent& token) {
  return std::span(token.alternatives)
      .first(
          std::min(token.alternatives.size(), static_cast<std::size_t>(completion.alternatives)));
}

Json chat_logprobs(const Completion& completion, std::span<const TokenEvent> tokens) {
  Json content = Json::array();
  for (const TokenEvent& token : tokens) {
    if (!token.logprob) continue;
    Json item = chat_token(*token.logprob);
    item["top_logprobs"] = Json::array();
    for (const TokenLogprob& other : shown_alternatives(completion, token)) {
      item["top_logprobs"].push_back(chat_token(other));
    }
    content.push_back(std::move(item));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

// The first token of a prompt follows nothing: it has no logprob.
Json text_logprobs(const Completion& completion, std::span<const TokenEvent> tokens,
                   std::int64_t& characters) {
  Json names = Json::array();
  Json values = Json::array();
  Json top = Json::array();
  Json offsets = Json::array();
  for (const TokenEvent& token : tokens) {
    names.push_back(token.logprob ? token_text(token.logprob->bytes) : token.text);
    offsets.push_back(characters);
    characters += count_characters(token.text);
    if (!token.logprob) {
      values.push_back(nullptr);
      top.push_back(nullptr);
      continue;
    }
    values.push_back(logprob_json(token.logprob->logprob));
    Json others = Json::object();
    for (const TokenLogprob& other : shown_alternatives(completion, token)) {
      others[token_text(other.bytes)] = logprob_json(other.logprob);
    }
    others[token_text(token.logprob->bytes)] = logprob_json(token.logprob->logprob);
    top.push_back(std::move(others));
  }
  return {{"tokens", std::move(names)},
          {"token_logprobs", std::move(values)},
          {"top_logprobs", std::move(top)},
          {"text_offset", std::move(offsets)}};
}

Json choice_json(const Completion& completion, std::size_t index) {
  const Job& job = *completion.choices[index];
  const Job::Snapshot snapshot = job.snapshot(true);
  const std::string& echo = completion.prompt_of(index).echo;
  std::vector<TokenEvent> tokens = completion.echo ? job.prompt() : std::vector<TokenEvent>();
  std::string text = completion.echo ? echo : "";
  if (!completion.prompt_only) {
    text += snapshot.text;
    auto events = job.events(0, SIZE_MAX, static_cast<std::size_t>(snapshot.tokens));
    tokens.insert(tokens.end(), std::make_move_iterator(events.tokens.begin()),
                  std::make_move_iterator(events.tokens.end()));
  }
  std::int64_t characters = 0;
  Json choice = {{"index", index},
                 {"logprobs", completion.logprobs ? logprobs_json(completion, tokens, characters)
                                                  : Json(nullptr)},
                 {"finish_reason", finish_reason(completion, *snapshot.end)}};
  if (completion.kind == CompletionKind::chat) {
    choice["message"] = {{"role", "assistant"}, {"content", std::move(text)}, {"refusal", nullptr}};
  } else {
    choice["text"] = std::move(text);
  }
  return choice;
}

}  // namespace

Json completion_base(const Completion& completion, bool chunk) {
  const char* const object = completion.kind == CompletionKind::text ? "text_completion"
                             : chunk                                 ? "chat.completion.chunk"
                                                                     : "chat.completion";
  return {{"id", completion.id},
          {"object", object},
          {"created", completion.created},
          {"model", completion.model},
          {"system_fingerprint", completion.fingerprint}};
}

Json effective_of(const Completion& completion) {
  const Job& job = *completion.choices.front();
  Json effective = effective_json(job, job.snapshot(false).start);
  if (completion.prompt_only) effective["max_tokens"] = 0;
  effective["logprobs"] = completion.logprobs ? Json(completion.alternatives) : Json(nullptr);
  effective["n"] = completion.choices.size() / completion.prompts.size();
  return effective;
}

Json logprobs_json(const Completion& completion, std::span<const TokenEvent> tokens,
                   std::int64_t& characters) {
  return completion.kind == CompletionKind::chat ? chat_logprobs(completion, tokens)
                                                 : text_logprobs(completion, tokens, characters);
}

Json usage_json(const Completion& completion) {
  const std::size_t per_prompt = completion.choices.size() / completion.prompts.size();
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t completion_tokens = 0;
  for (std::size_t c = 0; c < completion.choices.size(); ++c) {
    const Job::Snapshot snapshot = completion.choices[c]->snapshot(false);
    if (c % per_prompt == 0) {  // a prompt counts once, however many choices it has
      prompt_tokens += completion.prompt_of(c).tokens;
      if (snapshot.end) cached_tokens += snapshot.end->cached_tokens;
    }
    if (!completion.prompt_only) completion_tokens += snapshot.tokens;
  }
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", completion_tokens},
          {"total_tokens", prompt_tokens + completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", cached_tokens}}}};
}

std::string_view finish_reason(const Completion& completion, const EndEvent& end) {
  return completion.prompt_only || end.reason == StopReason::max_tokens ? "length" : "stop";
}

Json completion_json(const Completion& completion) {
  Json reply = completion_base(completion, false);
  reply["choices"] = Json::array();
  for (std::size_t c = 0; c < completion.choices.size(); ++c) {
    reply["choices"].push_back(choice_json(completion, c));
  }
  reply["usage"] = usage_json(completion);
  reply["effective"] = effective_of(completion);
  reply["ignored"] = completion.ignored;
  return reply;
}

}  // namespace llm::server
