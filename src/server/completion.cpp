#include "server/completion.h"

#include "server/completion_json.h"
#include "server/served_model.h"

namespace llm::server {
namespace {

using core::Json;

constexpr std::size_t kNoMetrics = SIZE_MAX;

}  // namespace

std::optional<Problem> problem_of(const EndEvent& end) {
  if (end.reason != StopReason::cancelled && end.reason != StopReason::error) return std::nullopt;
  // Nobody cancels but the worker that goes away (or the reader, who does not see this).
  const ApiError error = end.reason == StopReason::cancelled ? ApiError::shutting_down
                         : end.error.code() == StatusCode::invalid_argument
                             ? ApiError::invalid_request
                             : ApiError::internal;
  const std::string& message = end.error.message();
  return Problem{.error = error,
                 .message = message.empty() ? "generation failed" : message,
                 .fields = {},
                 .details = nullptr};
}

void CompletionReaders::start(const std::function<void()>& wake) {
  for (const auto& job : completion_.choices) ids_.push_back(job->add_reader(wake));
}

void CompletionReaders::stop() {
  for (std::size_t c = 0; c < ids_.size(); ++c) completion_.choices[c]->remove_reader(ids_[c]);
  ids_.clear();
}

std::optional<HttpResponse> CompletionReply::poll() {
  bool all_ended = true;
  for (const auto& job : completion_->choices) {
    const auto end = job->snapshot(false).end;
    if (!end) {
      all_ended = false;
    } else if (auto problem = problem_of(*end)) {
      return problem->error == ApiError::shutting_down ? shutting_down(problem->message)
                                                       : problem_response(std::move(*problem));
    }
  }
  if (!all_ended) return std::nullopt;
  return json_response(completion_json(*completion_));
}

// The first chunk also says what the request really runs with.
void CompletionStream::send(std::string& out, const Json& members) {
  Json event = completion_base(*completion_, true);
  event.update(members);
  if (!first_sent_) {
    event["effective"] = effective_of(*completion_);
    event["ignored"] = completion_->ignored;
    first_sent_ = true;
  }
  if (completion_->include_usage && !event.contains("usage")) event["usage"] = nullptr;
  append_event(out, event);
}

// For chat `content` is a delta, else text.
void CompletionStream::send_choice(std::string& out, std::size_t choice, Json content,
                                   Json logprobs, Json reason) {
  const Json item = {
      {"index", choice},
      {completion_->kind == CompletionKind::chat ? "delta" : "text", std::move(content)},
      {"logprobs", std::move(logprobs)},
      {"finish_reason", std::move(reason)}};
  send(out, {{"choices", Json::array({item})}});
}

void CompletionStream::begin_choice(std::string& out, std::size_t choice) {
  const Completion& completion = *completion_;
  choices_[choice].begun = true;
  if (completion.kind == CompletionKind::chat) {
    return send_choice(out, choice, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
  }
  if (!completion.echo) return;
  std::int64_t& characters = choices_[choice].characters;
  const Json logprobs =
      completion.logprobs
          ? logprobs_json(completion, completion.choices[choice]->prompt(), characters)
          : Json(nullptr);
  send_choice(out, choice, completion.prompt_of(choice).echo, logprobs, nullptr);
}

StreamState CompletionStream::read(std::string& out) {
  constexpr std::size_t kTokensPerRead = 64;
  const Completion& completion = *completion_;
  const bool chat = completion.kind == CompletionKind::chat;
  StreamState state = StreamState::waiting;
  bool all_ended = true;
  for (std::size_t c = 0; c < choices_.size(); ++c) {
    Place& place = choices_[c];
    if (place.ended) continue;
    const Job& job = *completion.choices[c];
    const Job::Events events = job.events(place.next_token, kNoMetrics, kTokensPerRead);
    // What a request runs with is known when its first choice has started. The prompt's tokens are
    // there once there is a token.
    const bool ready = events.started && (first_sent_ || c == 0) &&
                       (!completion.echo || !events.tokens.empty() || events.complete);
    if (!ready) {
      all_ended = false;
      continue;
    }
    if (events.complete) {
      if (const auto problem = problem_of(*job.snapshot(false).end)) {
        append_event(out, openai_error(*problem));
        return StreamState::failed;
      }
    }
    if (!place.begun) begin_choice(out, c);
    for (const TokenEvent& token : events.tokens) {
      ++place.next_token;
      if (completion.prompt_only || (token.text.empty() && !completion.logprobs)) continue;
      const Json logprobs = completion.logprobs
                                ? logprobs_json(completion, {&token, 1}, place.characters)
                                : Json(nullptr);
      const Json delta = chat ? Json{{"content", token.text}} : Json(token.text);
      send_choice(out, c, delta, logprobs, nullptr);
    }
    if (events.complete) {
      place.ended = true;
      const Json reason = finish_reason(completion, *job.snapshot(false).end);
      send_choice(out, c, chat ? Json::object() : Json(""), nullptr, reason);
    } else {
      all_ended = false;
      if (events.tokens.size() == kTokensPerRead) state = StreamState::more;
    }
  }
  if (!all_ended) return state;
  if (completion.include_usage) {
    send(out, {{"choices", Json::array()}, {"usage", usage_json(completion)}});
  }
  append_done(out);
  return StreamState::finished;
}

}  // namespace llm::server
